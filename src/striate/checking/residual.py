"""Residual sums: where a branch is added to what goes around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from striate.checking.graph import Graph, is_map, is_weighted
from striate.records import Layer, Trace

SUMS = frozenset({"add", "sub"})
SPLITS = frozenset({"split", "chunk", "unbind"})
"""Behind one of these the two ways may be of different parts."""


@dataclass(frozen=True, kw_only=True)
class Sum:
    """A branch added to a skip, of one shape.

    ``fork``: the last layer that both depend on.  ``skip`` and ``branch``: the layers on either
    way from there to the sum, in order; the skip has fewer weight layers.  Empty ``skip``: the
    identity.  ``tail``: the last layer of the branch; ``head`` that of the skip (or the fork).
    """

    join: Layer
    fork: Layer
    skip: tuple[Layer, ...]
    branch: tuple[Layer, ...]
    head: Layer
    tail: Layer

    @property
    def is_identity(self) -> bool:
        return not self.skip

    @property
    def carries_input(self) -> bool:
        """Whether the skip begins with what the branch begins with, in the shape of the sum."""
        return self.fork.shape == self.join.shape and self.fork.op not in SPLITS

    @property
    def is_projected(self) -> bool:
        """Whether the skip has weight layers of its own."""
        return any(is_weighted(layer) for layer in self.skip)


def sums(graph: Graph, trace: Trace) -> Iterator[Sum]:
    """Every residual sum of maps, in order."""
    behind: dict[int, int] = {}  # each layer's ancestors and itself, as the bits of a number
    for layer in trace:
        sources = graph.sources(layer)
        own = 1 << layer.index
        for source in sources:
            own |= behind[source.index]
        behind[layer.index] = own
        if layer.op not in SUMS or len(sources) != 2 or not is_map(layer):
            continue
        if all(source.shape == layer.shape for source in sources):
            found = _sum(graph, layer, sources, behind)
            if found is not None:
                yield found


def _sum(graph: Graph, join: Layer, ends: tuple[Layer, ...], behind: dict[int, int]) -> Sum | None:
    common = behind[ends[0].index] & behind[ends[1].index]
    if not common:
        return None
    ways = [tuple(graph[i] for i in _bits(behind[end.index] & ~common)) for end in ends]
    weights = [sum(is_weighted(layer) and not layer.gate for layer in way) for way in ways]
    if weights[0] == weights[1] and all(ways):
        return None  # two branches beside each other, neither of which goes around the other
    at = 0 if weights[0] < weights[1] or (weights[0] == weights[1] and not ways[0]) else 1
    return Sum(
        join=join,
        fork=graph[common.bit_length() - 1],
        skip=ways[at],
        branch=ways[1 - at],
        head=ends[at],
        tail=ends[1 - at],
    )


def _bits(number: int) -> Iterator[int]:
    """The places of a number's ones, from the lowest."""
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest
