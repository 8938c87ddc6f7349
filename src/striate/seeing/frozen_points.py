"""Where a network can be cut in two, whatever its modules are called.

Comes in: a ``Graph``.  Goes out: ``Point`` records.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from striate.seeing.frozen_graph import Graph, Node, words
from striate.seeing.frozen_skips import common_path

WEIGHTED = words("convolution addmm mm bmm baddbmm linear mv _convolution")


@dataclass(frozen=True, kw_only=True)
class Point:
    """A value that everything which reaches the logits passes, one of those between two layers.

    ``depth``: layers with weights on the longest way to it.
    """

    value: int
    name: str
    depth: int


def points_of(graph: Graph) -> tuple[Point, ...]:
    """Where the network can be cut in two, from the image to the logits, which are the last.

    A value is a place to cut if no operation after it reads one before it.  Of those between two
    layers with weights (or blocks that hold such layers) one is taken: the last before its shape
    changes, so behind norm and activation and in front of pools.  The image itself is left out.
    """
    leading = _leading(graph, graph.output)
    order = [0] + [out for node in leading for out in node.outs if node.outs[0] == out]
    position = {value: place for place, value in enumerate(order)}
    for node in leading:  # the other outputs of a node stand where its first does
        position.update(dict.fromkeys(node.outs, position[node.outs[0]]))
    furthest = [0] * len(order)
    for node in leading:
        for read in node.reads:
            place = position[read]
            furthest[place] = max(furthest[place], position[node.outs[0]])
    cuts: list[int] = []
    reach = 0
    for place, value in enumerate(order):
        if reach <= place:
            cuts.append(value)
        reach = max(reach, furthest[place])
    nodes = {node.outs[0]: node for node in leading}
    depths = _depths(graph)
    found: list[Point] = []
    group, passed = [cuts[0]], list[Node]()
    for before, after in pairwise(cuts):
        span = [nodes[value] for value in order[position[before] + 1 : position[after] + 1]]
        if any(node.op in WEIGHTED for node in span):
            _take(graph, group, passed, depths, found)
            group, passed = [after], span
        else:
            group.append(after)
    _take(graph, group, passed, depths, found)
    return _numbered(found)


def _take(
    graph: Graph, group: list[int], passed: list[Node], depths: list[int], found: list[Point]
) -> None:
    """Of cuts with no layer between them the last that has the shape of the first.

    A linear layer's rows, of all positions of all images, are passed over for the tensor that they
    are put back into.
    """
    if depths[group[0]] == 0:
        return
    images = len(graph.image)
    ordered = [cut for cut in group if len(graph.values[cut]) == images] or group
    shape = graph.values[ordered[0]].shape
    value = [cut for cut in ordered if graph.values[cut].shape == shape][-1]
    if graph.output in group:
        value = graph.output
    weighted = [node for node in passed if node.op in WEIGHTED]
    found.append(Point(value=value, name=common_path(weighted), depth=depths[value]))


def _leading(graph: Graph, value: int) -> list[Node]:
    """The nodes that lead to a value, in order."""
    needed = {value}
    found: list[Node] = []
    for node in reversed(graph.nodes):
        if any(out in needed for out in node.outs):
            found.append(node)
            needed.update(node.reads)
    return found[::-1]


def _depths(graph: Graph) -> list[int]:
    """For each value the layers with weights on the longest way to it."""
    depths = [0] * len(graph.values)
    for node in graph.nodes:
        own = 1 if node.op in WEIGHTED and len(node.reads) == 1 else 0
        depth = own + max(depths[read] for read in node.reads)
        for out in node.outs:
            depths[out] = depth
    return depths


def _numbered(points: list[Point]) -> tuple[Point, ...]:
    """Points of one name told apart by numbers."""
    names = [point.name for point in points]
    times: dict[str, int] = {}
    found: list[Point] = []
    for point in points:
        times[point.name] = times.get(point.name, 0) + 1
        alone = names.count(point.name) == 1 and point.name
        name = point.name if alone else f"{point.name or 'layer'} {times[point.name]}"
        found.append(Point(value=point.value, name=name, depth=point.depth))
    return tuple(found)
