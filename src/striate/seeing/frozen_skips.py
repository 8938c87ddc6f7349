"""Where a network adds to its stream: skips, found in the graph and not in the names of modules.

Where two ways meet in a sum or a concatenation, one of them may be a *skip* and the other a
*branch*:

- one operand is made from the other: the one that was there before is the stream (an identity
  skip; in a concatenation, as of DenseNet, there may be several branches);
- in a sum, both are made from one value, on one of the ways nothing bends (no activation, no
  attention, no product of two values) and on the other something does: the first is the skip (a
  projection: He et al. 2015, options A and B).

Sums of equals (the ways of an Inception module) are no skip.

Comes in: a ``Graph``.  Goes out: ``Skip`` records, and the number of paths of each length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from striate.seeing.frozen_graph import Graph, Node, Ref, words

_STRAIGHT = words(
    "convolution addmm mm native_batch_norm native_layer_norm native_group_norm cudnn_batch_norm "
    "view _unsafe_view reshape permute transpose t expand squeeze unsqueeze select slice "
    "split split_with_sizes unbind alias clone _to_copy as_strided constant_pad_nd mean sum "
    "avg_pool2d _adaptive_avg_pool2d max_pool2d_with_indices upsample_nearest2d "
    "upsample_bilinear2d add sub cat mul div neg roll flip repeat"
)
_SINGLE = frozenset(("mul", "div", "mm"))  # straight only where the other factor is a constant
Way = Literal["identity", "projection", "concatenation"]


@dataclass(frozen=True, kw_only=True)
class Skip:
    """One branch and the stream it writes to.

    ``node``: the first node in which they meet.  ``source``: the value from which both ways start.
    ``stream``, ``branch``: the values that meet.  ``inside``: the branch's nodes.  ``name``: the
    module that holds the branch, numbered where it holds several; ``path``: without the number.
    """

    node: int
    source: int
    stream: int
    branch: int
    inside: tuple[int, ...]
    path: str
    name: str
    way: Way


def skips_of(graph: Graph) -> tuple[Skip, ...]:
    """Every skip, also those inside the branch of another, in order of meeting."""
    before = _ancestors(graph)
    found: list[tuple[int, int, int, int, Way]] = []
    seen: set[int] = set()
    for node in graph.nodes:
        for source, stream, branch, way in _meetings(graph, node, before):
            if branch not in seen:
                seen.add(branch)
                found.append((node.index, source, stream, branch, way))
    named: list[Skip] = []
    times: dict[str, int] = {}
    insides = [_of_branch(graph, before, *one) for one in found]
    paths = [
        _path(graph, inside, graph.nodes[node])
        for (node, *_), inside in zip(found, insides, strict=True)
    ]
    for (node, source, stream, branch, way), inside, path in zip(
        found, insides, paths, strict=True
    ):
        times[path] = times.get(path, 0) + 1
        several = paths.count(path) > 1
        name = f"{path or 'skip'} {times[path]}".strip() if several or not path else path
        named.append(
            Skip(
                node=node,
                source=source,
                stream=stream,
                branch=branch,
                inside=inside,
                path=path,
                name=name,
                way=way,
            )
        )
    return tuple(named)


def stream_of(graph: Graph, skips: tuple[Skip, ...]) -> tuple[Skip, ...]:
    """The skips on the stream itself: met on the way back from the logits past every branch."""
    branches = {skip.branch for skip in skips}
    met: set[int] = set()
    needed = {graph.output} - branches
    for node in reversed(graph.nodes):
        if any(out in needed for out in node.outs):
            met.update(read for read in node.reads if read in branches)
            needed.update(read for read in node.reads if read not in branches)
    return tuple(skip for skip in skips if skip.branch in met)


def paths_of(graph: Graph, skips: tuple[Skip, ...]) -> tuple[int, ...]:
    """The number of paths from image to logits that pass 0, 1, 2 … branches (Veit et al. 2016).

    Counted by dynamic programming over the graph, with whole numbers: a sum or concatenation with
    a skip has the ways of its stream and, one branch longer, those of its branch.  Elsewhere ways
    that meet and have passed the same skips are one; others are added.
    """
    branches = {skip.branch for skip in skips}
    meetings = {skip.node for skip in skips}
    ways: dict[int, tuple[int, ...]] = {0: (1,)}
    for node in graph.nodes:
        joined = meetings if node.op in ("add", "cat", "addcmul") else set[int]()
        if node.index in joined or (node.op == "cat" and any(r in branches for r in node.reads)):
            parts = [(0, *ways[r]) if r in branches else ways[r] for r in node.reads]
            kept = [p for p, r in zip(parts, node.reads, strict=True) if r in branches]
            kept += dict.fromkeys(
                p for p, r in zip(parts, node.reads, strict=True) if r not in branches
            )
        else:
            kept = list(dict.fromkeys(ways[read] for read in node.reads))
        total = _sum(kept)
        ways.update(dict.fromkeys(node.outs, total))
    return ways[graph.output]


def _sum(parts: list[tuple[int, ...]]) -> tuple[int, ...]:
    longest = max(map(len, parts))
    return tuple(sum(p[i] for p in parts if i < len(p)) for i in range(longest))


def _ancestors(graph: Graph) -> list[int]:
    """For each value the nodes it is made by, as bits of an integer."""
    before = [0] * len(graph.values)
    for node in graph.nodes:
        bits = 1 << node.index
        for read in node.reads:
            bits |= before[read]
        for out in node.outs:
            before[out] = bits
    return before


def _meetings(graph: Graph, node: Node, before: list[int]) -> list[tuple[int, int, int, Way]]:
    """(source, stream, branch, way) of the branches that meet their stream here."""
    if node.op == "add" and len(node.reads) == 2:
        first, second = node.reads
        for stream, branch in ((first, second), (second, first)):
            if _made_from(graph, stream, branch, before):
                return [(stream, stream, branch, "identity")]
        source = _meet(graph, before[first] & before[second])
        bent = [_bends(graph, _inside(before, way, source)) for way in (first, second)]
        if bent == [False, True]:
            return [(source, first, second, "projection")]
        if bent == [True, False]:
            return [(source, second, first, "projection")]
    if node.op == "cat" and len(node.reads) > 1 and isinstance(node.args[0], list):
        given = cast("list[object]", node.args[0])
        met = [item.value for item in given if isinstance(item, Ref)]
        found: list[tuple[int, int, int, Way]] = []
        for branch in dict.fromkeys(met):
            streams = [v for v in met if v != branch and _made_from(graph, v, branch, before)]
            if streams:
                found.append((streams[0], streams[0], branch, "concatenation"))
        return found
    return []


def _made_from(graph: Graph, value: int, later: int, before: list[int]) -> bool:
    """Whether ``later`` is made from ``value``, by more than looking at it in another shape."""
    if value == later:
        return False
    maker = graph.maker(value)
    if maker is not None and not before[later] >> maker.index & 1:
        return False
    reached = {value}
    for node in graph.nodes[(maker.index + 1 if maker else 0) :]:
        if any(read in reached for read in node.reads):
            reached.update(node.outs)
            if later in node.outs:
                return True
    return False


def _meet(graph: Graph, common: int) -> int:
    """The last value that both are made by; the image where they share no node."""
    return graph.nodes[common.bit_length() - 1].outs[0] if common else 0


def _inside(before: list[int], value: int, source: int) -> tuple[int, ...]:
    """The nodes that make ``value`` after ``source``, in order."""
    bits = before[value] & ~before[source]
    nodes: list[int] = []
    while bits:
        low = bits & -bits
        nodes.append(low.bit_length() - 1)
        bits ^= low
    return tuple(nodes)


def _of_branch(
    graph: Graph, before: list[int], node: int, source: int, _stream: int, branch: int, way: Way
) -> tuple[int, ...]:
    """The nodes of a branch; in a concatenation, those after all that stood there before."""
    inside = _inside(before, branch, source)
    if way != "concatenation":
        return inside
    others = [v for v in graph.nodes[node].reads if _made_from(graph, v, branch, before)]
    return tuple(index for index in inside if not any(before[v] >> index & 1 for v in others))


def _bends(graph: Graph, inside: tuple[int, ...]) -> bool:
    """Whether something on this way is not linear once norms and choices of pools are fixed."""
    for index in inside:
        node = graph.nodes[index]
        if node.op not in _STRAIGHT or (node.op in _SINGLE and len(node.reads) > 1):
            return True
    return False


def _path(graph: Graph, inside: tuple[int, ...], meeting: Node) -> str:
    """The module that holds a branch; where only the root does, the one in which it meets."""
    nodes = [graph.nodes[index] for index in inside]
    return common_path([node for node in nodes if node.path]) or meeting.path


def common_path(nodes: list[Node]) -> str:
    """The innermost module that all of them ran in.

    >>> common_path([])
    ''
    """
    if not nodes:
        return ""
    paths = [node.path.split(".") for node in nodes]
    shared = [parts[0] for parts in zip(*paths, strict=False) if len(set(parts)) == 1]
    length = next(
        (i for i, parts in enumerate(zip(*paths, strict=False)) if len(set(parts)) > 1),
        len(shared),
    )
    return ".".join(paths[0][:length])
