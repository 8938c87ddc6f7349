"""The module tree of a trace, in the order of execution, and the runs in which it repeats itself.

Comes in: layers.  Goes out: ``Node`` trees; ``Run`` lists in which equal neighbours stand once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from striate.records.layer import Layer

LONGEST_PATTERN = 4
"""Blocks that may alternate in a run: A B A B is ×2 of a pattern of two."""


@dataclass(frozen=True, eq=False)
class Node:
    """One stay in a module: layers that followed each other below ``path``.

    ``parts``: what it did itself (layers) and the modules it called (nodes), in order.  A module
    that is left and entered again is two nodes.
    """

    path: str
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """The last component of its path."""
        return self.path.rpartition(".")[2]

    def __iter__(self) -> Iterator[Layer]:
        for part in self.parts:
            if isinstance(part, Node):
                yield from part
            else:
                yield part


Part = Node | Layer


def tree(layers: Sequence[Layer]) -> Node:
    """All layers as one tree; its root is the top module, whose path is empty."""
    split = [(tuple(layer.path.split(".")) if layer.path else (), layer) for layer in layers]
    return _node((), split)


def _node(path: tuple[str, ...], layers: list[tuple[tuple[str, ...], Layer]]) -> Node:
    depth = len(path)
    parts: list[Part] = []
    for name, group in groupby(layers, key=lambda pair: pair[0][depth : depth + 1]):
        members = list(group)
        if name:
            parts.append(_node((*path, *name), members))
        else:
            parts += [layer for _, layer in members]
    return Node(".".join(path), tuple(parts))


def depth_of(path: str) -> int:
    """Components of a path; 0 for the top module."""
    return path.count(".") + 1 if path else 0


@dataclass(frozen=True, kw_only=True)
class Run:
    """``times`` repetitions of a pattern of ``period`` equal parts, beginning at ``start``."""

    start: int
    period: int
    times: int


def runs(signs: Sequence[Hashable]) -> list[Run]:
    """Neighbours that repeat, the longest stretch first; what does not repeat is a run of one.

    >>> [(r.start, r.period, r.times) for r in runs("abbbcdcd")]
    [(0, 1, 1), (1, 1, 3), (4, 2, 2)]
    """
    found: list[Run] = []
    start = 0
    while start < len(signs):
        best = Run(start=start, period=1, times=1)
        for period in range(1, LONGEST_PATTERN + 1):
            times = _repetitions(signs, start, period)
            if times > 1 and times * period > best.times * best.period:
                best = Run(start=start, period=period, times=times)
        found.append(best)
        start += best.period * best.times
    return found


def _repetitions(signs: Sequence[Hashable], start: int, period: int) -> int:
    pattern = signs[start : start + period]
    times = 1
    while signs[start + times * period : start + (times + 1) * period] == pattern:
        times += 1
    return times


def signed(part: Part, sign: Callable[[Layer], Hashable]) -> Hashable:
    """What makes two parts equal: the same layers by ``sign``, in modules of the same names.

    The part's own name does not count.
    """
    if isinstance(part, Layer):
        return sign(part)
    return tuple(
        (child.name, signed(child, sign)) if isinstance(child, Node) else sign(child)
        for child in part.parts
    )


_NUMBERED = re.compile(r"(.*?)(\d+)")


def span_of(names: Sequence[str]) -> str:
    """Names of a run as one: ``1–35``, ``0, 2 … 16``, ``layer1–3``, ``first … last``.

    >>> span_of(["1", "2", "3"]), span_of(["0", "2", "4", "6"]), span_of(["1", "3", "5"])
    ('1–3', '0, 2 … 6', '1, 3, 5')
    >>> span_of(["unit7", "unit8"]), span_of(["a", "b", "c", "d"]), span_of(["conv", "conv"])
    ('unit7–8', 'a … d', 'conv')
    """
    if len(set(names)) == 1:
        return names[0]
    found = [_NUMBERED.fullmatch(name) for name in names]
    stems = {match[1] if match else None for match in found}
    if len(stems) == 1 and None not in stems:
        stem = stems.pop()
        numbers = [int(match[2]) for match in found if match]
        steps = {after - before for before, after in pairwise(numbers)}
        if steps == {1}:
            return f"{stem}{numbers[0]}–{numbers[-1]}"
        if len(steps) == 1 and len(numbers) > 3:
            return f"{stem}{numbers[0]}, {numbers[1]} … {numbers[-1]}"
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} … {names[-1]}"
