"""Parts of a network that can be taken away whole: what goes in and what comes out agree."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from striate.checking.graph import ACTIVATIONS, NORMS, SAME, Graph
from striate.records import Layer, Trace


@dataclass(frozen=True, kw_only=True)
class Region:
    """Layers between ``before`` and ``after``, the last of them.

    Nothing else goes in or out, and both have the same shape: without these layers whatever read
    ``after`` can read ``before``.
    """

    before: Layer
    layers: tuple[Layer, ...]

    @property
    def after(self) -> Layer:
        return self.layers[-1]


def region_of(graph: Graph, layer: Layer, may_go: Callable[[Layer], bool]) -> Region | None:
    """The smallest region that ``layer`` begins, with the norm and activation behind it.

    Every layer of it answers to ``may_go``.  Where ``layer`` has a norm or an activation before it
    that belongs to it (He et al. 2016), the region begins there.  None where there is no region.
    """
    before = graph.source(layer)
    if before is None:
        return None
    found = _between(graph, before, layer, may_go)
    if found is not None:
        return Region(before=before, layers=(*found, *_tail(graph, found[-1])))
    start = graph.back(before, NORMS | ACTIVATIONS | SAME)
    found = None if start is before else _between(graph, start, layer, may_go)
    return None if found is None else Region(before=start, layers=tuple(found))


def modules_of(trace: Trace, gone: Collection[int]) -> list[str]:
    """Paths of the modules that hold layers with these indices and no others, outermost first.

    A list or sequence is named by its elements, and so is a module that holds one and nothing else.
    Layers that a module computes itself, beside some that stay, are in none.
    """
    held: dict[str, set[int]] = {}
    children: dict[str, list[str]] = {}
    for layer in trace:
        parts = layer.path.split(".") if layer.path else []
        for end in range(1, len(parts) + 1):
            path = ".".join(parts[:end])
            if path not in held:
                held[path] = set()
                children.setdefault(".".join(parts[: end - 1]), []).append(path)
            held[path].add(layer.index)
    whole = {path for path, layers in held.items() if layers <= set(gone)}
    own = {layer.path for layer in trace}
    lists: set[str] = set()
    for path in sorted(held, key=len, reverse=True):
        inner = children.get(path, [])
        if inner and path not in own and all(_is_number(one) or one in lists for one in inner):
            lists.add(path)
    found: list[str] = []
    waiting = children.get("", [])[::-1]
    while waiting:
        path = waiting.pop()
        if path in whole and path not in lists:
            found.append(path)
        else:
            waiting.extend(reversed(children.get(path, [])))
    return found


def _is_number(path: str) -> bool:
    return path.rpartition(".")[2].isdigit()


def _between(
    graph: Graph, before: Layer, through: Layer, may_go: Callable[[Layer], bool]
) -> list[Layer] | None:
    """The fewest layers behind ``before``, ``through`` among them, that end in one of its shape."""
    region: dict[int, Layer] = {}
    waiting = {user.index: user for user in graph.users(before)}
    while waiting:
        layer = waiting.pop(min(waiting))
        within = all(one is before or one.index in region for one in graph.sources(layer))
        if not within or not may_go(layer):
            return None
        region[layer.index] = layer
        if not waiting and layer.shape == before.shape and through.index in region:
            return list(region.values())
        waiting.update({user.index: user for user in graph.users(layer)})
    return None


def _tail(graph: Graph, last: Layer) -> list[Layer]:
    """The norms and activations that follow on ``last`` alone."""
    found: list[Layer] = []
    while (user := graph.only_user(last)) is not None and user.op in NORMS | ACTIVATIONS | SAME:
        if graph.sources(user) != (last,):
            break
        found.append(user)
        last = user
    return found
