"""What each element of a tensor can see of the image, as a value.

For one image axis, the element at indices (i_0, i_1, …) depends on the pixels

    lo + Σ line_f(i_f)   …   hi + Σ line_f(i_f)

over the *factors* f of its dimensions.  A dimension that was joined from others keeps them as
factors, outermost first (mixed radix), so that a later split restores them.  A ``Reach`` is a
union of such terms: one, unless branches met that no single term can describe (the scores of
attention, whose element (i, j) sees token i and token j).

The interval is that of the image continued on all sides, so it may start before pixel 0: padding
shifts it and does not cut it.  An *interior* element is one whose interval lies inside the image,
and inside what of it the map still covered wherever it was padded (a crop, or a stride that drops
the last row, leaves less than the image): its windows never met padding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from striate.tracing.fields.lines import NOWHERE, Line, Table, ends, extremes, settle, span

AXES = (0, 1)
"""Height and width, as positions in every pair."""


class Rank(IntEnum):
    """How much a term's interval may be believed; the worse of two wins."""

    EXACT = 0
    BOUND = 1
    DATA = 2
    UNKNOWN = 3


class Factor(NamedTuple):
    """``size`` indices that move the interval along height and width by ``lines``.

    ``axes``: bit 1 for a factor that runs along the image's height, bit 2 for its width.
    ``mixed``: intervals differ along it in a way the lines do not say (channels of a
    concatenation), so that a part of it is known by a bound only.
    ``blended``: positions and channels together, as one table.
    """

    size: int
    lines: tuple[Line, Line] = (0, 0)
    axes: int = 0
    mixed: bool = False
    blended: bool = False

    @property
    def moves(self) -> bool:
        return self.lines != (0, 0)


Dim = tuple[Factor, ...]


class Hull(NamedTuple):
    """One image axis of one term: the interval at index 0 of every factor.

    ``near``, ``far``: first and last pixel between which an interval is that of an interior
    element.  ``least``: pixels along the narrowest path from the image.  ``squeezed``: every position along
    this axis was reduced to one.  ``whole``: sees the whole axis; the ends no longer matter and
    the lines tell positions apart without moving anything.
    """

    lo: int = 0
    hi: int = 0
    near: int = 0
    far: int = 0
    least: int = 1
    rank: Rank = Rank.EXACT
    squeezed: bool = False
    whole: bool = False


class Term(NamedTuple):
    """One affine interval: a factor list per dimension, a hull per image axis."""

    dims: tuple[Dim, ...]
    hulls: tuple[Hull, Hull]


class Reach(NamedTuple):
    """The union of ``terms``, in an image of ``image`` = (height, width) pixels.

    ``gated``: a squeeze gate or the statistics of a norm over space were left out.
    """

    terms: tuple[Term, ...]
    image: tuple[int, int]
    gated: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(size(dim) for dim in self.terms[0].dims)

    def each(self, change: Callable[[Term], Term]) -> Reach:
        """The same change made to every term."""
        terms = self.terms
        if len(terms) == 1:
            return Reach((change(terms[0]),), self.image, self.gated)
        return Reach(tuple(change(term) for term in terms), self.image, self.gated)


@lru_cache(maxsize=4096)
def plain(n: int) -> Dim:
    """A dimension of ``n`` that has nothing to do with the image's axes."""
    return (Factor(n),)


def size(dim: Dim) -> int:
    """Indices in a dimension."""
    if len(dim) == 1:
        return dim[0].size
    product = 1
    for factor in dim:
        product *= factor.size
    return product


def of_image(shape: Iterable[int]) -> Reach:
    """The image itself, (…, H, W): every element sees its own pixel."""
    *outer, height, width = shape
    dims = (*map(plain, outer), (Factor(height, (1, 0), 1),), (Factor(width, (0, 1), 2),))
    hulls = (Hull(far=height - 1), Hull(far=width - 1))
    return Reach((Term(dims, hulls),), (height, width))


def axis_moves(dims: Iterable[Dim], axis: int) -> bool:
    """Whether positions along this axis are told apart (channels that differ do not count)."""
    return any(factor.axes and factor.lines[axis] != 0 for dim in dims for factor in dim)


def one_factor(dim: Dim) -> tuple[Factor, tuple[int, int], tuple[int, int]]:
    """A dimension's factors as a single one, and what that adds to (lo, hi) per axis."""
    if len(dim) == 1:
        return dim[0], (0, 0), (0, 0)
    n = size(dim)
    lines: list[Line] = []
    more_lo, more_hi = [0, 0], [0, 0]
    for axis in AXES:
        if all(factor.lines[axis] == 0 for factor in dim):
            lines.append(0)
            continue
        lo = hi = np.zeros(1, np.int64)
        for factor in dim:
            inner_lo, inner_hi = ends(factor.lines[axis], factor.size)
            lo = np.add.outer(lo, inner_lo).ravel()
            hi = np.add.outer(hi, inner_hi).ravel()
        outer = next((f for f in dim if f.size > 1), dim[0])
        line, more_lo[axis], more_hi[axis] = settle(
            np.minimum(lo, NOWHERE), np.maximum(hi, -NOWHERE), span(outer.lines[axis], outer.size)
        )
        lines.append(line)
    axes, mixed = 0, False
    for factor in dim:
        axes |= factor.axes
        mixed = mixed or factor.mixed
    blended = axes != 0 and any(f.blended or (f.size > 1 and not f.axes) for f in dim)
    factor = Factor(n, (lines[0], lines[1]), axes, mixed, blended)
    return factor, (more_lo[0], more_lo[1]), (more_hi[0], more_hi[1])


def shifted(
    hulls: tuple[Hull, Hull], lo: tuple[int, int], hi: tuple[int, int]
) -> tuple[Hull, Hull]:
    """Hulls with ``lo`` and ``hi`` added to their ends."""
    if lo == (0, 0) == hi:
        return hulls
    first, second = hulls
    return (
        first._replace(lo=first.lo + lo[0], hi=first.hi + hi[0]),
        second._replace(lo=second.lo + lo[1], hi=second.hi + hi[1]),
    )


def contract(term: Term, over: set[int], image: tuple[int, int], *, keep: bool) -> Term:
    """Every element now depends on all indices of the dimensions ``over`` (sum, mean, product).

    With ``keep`` they stay as dimensions of one index.
    """
    hulls = list(term.hulls)
    gone = [factor for d in over for factor in term.dims[d]]
    dims = tuple(
        (Factor(1, (0, 0), _axes(dim)),) if d in over else dim
        for d, dim in enumerate(term.dims)
        if keep or d not in over
    )
    for axis in AXES:
        hull = hulls[axis]
        moving = [factor for factor in gone if factor.lines[axis] != 0]
        if not moving:
            continue
        lo, hi, least = hull.lo, hull.hi, hull.least
        for factor in moving:
            far_lo, far_hi = extremes(factor.lines[axis], factor.size)
            lo, hi = lo + far_lo, hi + far_hi
            if factor.axes:
                least += far_hi - far_lo
        squeezed = hull.squeezed or (not axis_moves(dims, axis) and any(f.axes for f in moving))
        whole = hull.whole or (squeezed and lo <= 0 and hi >= image[axis] - 1)
        hulls[axis] = Hull(lo, hi, hull.near, hull.far, least, hull.rank, squeezed, whole)
    return Term(dims, (hulls[0], hulls[1]))


def met_padding(term: Term, d: int, *, filled: bool = False) -> tuple[Hull, Hull]:
    """The hulls once windows over dimension ``d`` have looked beyond its ends.

    From here on an interior element's interval must end before that of the first index outside
    begins to count.  Where other dimensions take larger steps along the same axis (a window that
    is padded at its own edge), what lies outside is not outside the image: a bound, and one that
    holds for interior elements alone if what lies outside is ``filled`` with pixels from inside.
    """
    hulls = list(term.hulls)
    factor, lo_more, hi_more = one_factor(term.dims[d])
    for axis in AXES:
        line, hull = factor.lines[axis], hulls[axis]
        if line == 0:
            continue
        others_lo = others_hi = 0
        for other, dim in enumerate(term.dims):
            for part in dim if other != d else ():
                far_lo, far_hi = extremes(part.lines[axis], part.size)
                others_lo, others_hi = others_lo + far_lo, others_hi + far_hi
        lo, hi = ends(line, factor.size)
        covered = span(line, factor.size)
        before, after = int(lo[-1]) - covered, int(hi[0]) + covered
        if covered < 0:
            before, after = int(lo[0]) + covered, int(hi[-1]) - covered
        if others_hi - others_lo >= abs(covered) // factor.size:
            hull = hull._replace(rank=max(Rank.BOUND, hull.rank))
            if not filled:
                hulls[axis] = hull
                continue
        near = hull.lo + lo_more[axis] + before + others_hi + 1
        far = hull.hi + hi_more[axis] + after + others_lo - 1
        hulls[axis] = hull._replace(near=max(hull.near, near), far=min(hull.far, far))
    return hulls[0], hulls[1]


def _axes(dim: Dim) -> int:
    axes = 0
    for factor in dim:
        axes |= factor.axes
    return axes


def still(dim: Dim) -> bool:
    """Whether a dimension moves nothing."""
    return not any(factor.moves for factor in dim)


def worsened(reach: Reach, rank: Rank) -> Reach:
    """The same intervals, believed no more than ``rank``."""
    return reach.each(
        lambda term: Term(
            term.dims,
            (
                term.hulls[0]._replace(rank=max(rank, term.hulls[0].rank)),
                term.hulls[1]._replace(rank=max(rank, term.hulls[1].rank)),
            ),
        )
    )


def is_table(line: Line) -> bool:
    return isinstance(line, Table)
