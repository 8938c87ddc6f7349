"""How far one factor of a dimension moves an interval along one image axis.

A ``Line`` is an ``int`` where neighbours are evenly apart (the step in pixels; 0: the factor does
not move the interval), or a ``Table`` with one offset per index where they are not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Offsets = NDArray[np.int64]
Pairs = tuple[tuple[int, int], ...]

NOWHERE = 1 << 40
"""Offset of an index that sees no pixel at all: +NOWHERE as a lower end, −NOWHERE as an upper."""


class Table:
    """Offsets of the lower and the upper end of the interval, one per index.

    ``lo``, ``hi``: (n,) int64.  ``span``: pixels from index 0 to the would-be index n, by which
    the table goes on beyond its ends.
    """

    __slots__ = ("_pairs", "hi", "lo", "span")

    def __init__(self, lo: Offsets, hi: Offsets, span: int) -> None:
        self.lo, self.hi, self.span = lo, hi, span
        self._pairs: dict[int, Pairs] = {}

    def pairs(self, extent: int) -> Pairs:
        """(lower, upper + ``extent``) of every index from the first one's lower end."""
        found = self._pairs.get(extent)
        if found is None:
            start = int(self.lo[0])
            lo, hi = (self.lo - start).tolist(), (self.hi + (extent - start)).tolist()
            found = tuple((a, b) if a <= b else (0, -1) for a, b in zip(lo, hi, strict=True))
            self._pairs[extent] = found
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and (
            self is other
            or (np.array_equal(self.lo, other.lo) and np.array_equal(self.hi, other.hi))
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays; compared, never a key

    def __repr__(self) -> str:
        return f"Table({self.lo.tolist()}, {self.hi.tolist()}, span={self.span})"


Line = int | Table


def ends(line: Line, size: int) -> tuple[Offsets, Offsets]:
    """Lower and upper offsets of every index of a factor of ``size``."""
    if isinstance(line, Table):
        return line.lo, line.hi
    steps = np.arange(size, dtype=np.int64) * line
    return steps, steps


def span(line: Line, size: int) -> int:
    """Pixels that ``size`` indices cover."""
    return line.span if isinstance(line, Table) else line * size


def extremes(line: Line, size: int) -> tuple[int, int]:
    """Least lower and greatest upper offset over all indices."""
    if isinstance(line, Table):
        return int(line.lo.min()), int(line.hi.max())
    far = line * (size - 1)
    return (far, 0) if far < 0 else (0, far)


def known_extremes(line: Line, size: int) -> tuple[int, int]:
    """Least lower and greatest upper offset over the indices that see anything."""
    if not isinstance(line, Table):
        return extremes(line, size)
    known = line.lo < NOWHERE // 2
    return int(line.lo[known].min()), int(line.hi[known].max())


def beyond_ends(line: Line, size: int) -> tuple[int, int]:
    """Lower offset of the index before the first, as the line goes on, and upper of that behind
    the last; of a line that runs backwards the other way round.
    """
    if not isinstance(line, Table):
        return (-line, line * size) if line >= 0 else (line * size, -line)
    known = line.lo < NOWHERE // 2
    lo, hi = line.lo[known], line.hi[known]
    if line.span < 0:
        return int(lo[0]) + line.span, int(hi[-1]) - line.span
    return int(lo[-1]) - line.span, int(hi[0]) + line.span


def settle(lo: Offsets, hi: Offsets, distance: int) -> tuple[Line, int, int]:
    """The simplest Line with these offsets, and what it leaves to add to both ends.

    Index 0's offsets go to the ends where it has any, so that a Table starts at 0.
    """
    seen = lo < NOWHERE // 2
    if not seen.all():
        if not seen.any():
            return 0, 0, 0
        return Table(lo, hi, distance), 0, 0
    first_lo, first_hi = int(lo[0]), int(hi[0])
    lo, hi = lo - first_lo, hi - first_hi
    if len(lo) == 1:
        return distance, first_lo, first_hi
    step = int(lo[1])
    even = np.arange(len(lo), dtype=np.int64) * step
    if np.array_equal(lo, even) and np.array_equal(hi, even):
        return step, first_lo, first_hi
    return Table(lo, hi, distance), first_lo, first_hi


def windowed(line: Table, first: Offsets, last: Offsets, apart: int = 1) -> tuple[Offsets, Offsets]:
    """Least lower and greatest upper offset over the input indices first[o]…last[o].

    Only every ``apart``-th of them counts (a dilated kernel).  Indices beyond the table are read
    one ``span`` further, as if the image went on.
    """
    n = len(line.lo)
    lo = hi = None
    for step in range(0, int((last - first).max()) + 1, apart):
        index = np.minimum(first + step, last)
        turn, within = np.divmod(index, n)
        here_lo = line.lo[within] + turn * line.span
        here_hi = line.hi[within] + turn * line.span
        lo = here_lo if lo is None else np.minimum(lo, here_lo)
        hi = here_hi if hi is None else np.maximum(hi, here_hi)
    assert lo is not None
    assert hi is not None
    return lo, hi
