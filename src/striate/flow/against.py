"""``striate trace A --against B``: which layer became which, and what happened to it.

Layers are aligned in their order, in passes of which each fills the gaps of the one before: layers
that do the same in the same module; that do the same whatever they are called (an insertion into an
``nn.Sequential`` renames all that follow); that have the same path and operation; and those of the
same operation that resemble each other most.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from difflib import SequenceMatcher

from striate.errors import TraceError
from striate.flow.targets import Target, resolve
from striate.flow.trace import trace_target
from striate.records import Layer, Trace
from striate.records.comparison import Comparison, Pair
from striate.records.trace_text import stopped

_MOST_COMPARED = 250_000
"""Pairs of layers in one gap that are compared one by one."""

Matches = list[tuple[int, int]]
Key = Callable[[Layer], Hashable]


def trace_against(target: Target | str, other: Target | str, image: str | None) -> Comparison:
    """Trace both at ``image``, by default each at its own size, and compare them.

    A network that says no size of its own takes the other's.  TraceError, naming the target,
    where a forward does not come to its end.
    """
    both = [resolve(one) if isinstance(one, str) else one for one in (target, other)]
    known = next((one.image for one in both if one.image is not None), None)
    found: list[Trace] = []
    for one in both:
        borrowed = image is None and one.image is None and known is not None
        trace = trace_target(one, "x".join(map(str, known)) if borrowed and known else image)
        if trace.failure is not None:
            raise TraceError(f"{one.text}: {stopped(trace.failure)}")
        found.append(trace)
    return compare(*found)


def compare(before: Trace, after: Trace) -> Comparison:
    """Every layer of both traces, paired where they take each other's place."""
    old, new = before.layers, after.layers
    pairs: list[Pair] = []
    i = j = 0
    for ahead, behind in [*_aligned(old, new, _PASSES), (len(old), len(new))]:
        pairs += [Pair(before=layer, after=None) for layer in old[i:ahead]]
        pairs += [Pair(before=None, after=layer) for layer in new[j:behind]]
        if ahead < len(old):
            pairs.append(Pair(before=old[ahead], after=new[behind]))
        i, j = ahead + 1, behind + 1
    return Comparison(before=before, after=after, pairs=tuple(pairs))


def _aligned(old: Sequence[Layer], new: Sequence[Layer], passes: Sequence[Key]) -> Matches:
    """Pairs by the first pass, and between them by those that follow."""
    if not old or not new:
        return []
    if not passes:
        return _resembling(old, new)
    found: Matches = []
    i = j = 0
    for a, b in [*_by(passes[0], old, new), (len(old), len(new))]:
        found += [(i + x, j + y) for x, y in _aligned(old[i:a], new[j:b], passes[1:])]
        if a < len(old):
            found.append((a, b))
        i, j = a + 1, b + 1
    return found


def _does(layer: Layer) -> Hashable:
    """What a layer does, whatever it is called and however large its map is."""
    attrs = tuple((name, str(value)) for name, value in sorted(layer.attrs.items()))
    return layer.op, attrs, layer.params


def _does_alone(layer: Layer) -> Hashable:
    """The same, where it tells layers apart (None: one activation is like any other)."""
    return _does(layer) if layer.params or "kernel" in layer.attrs else None


_PASSES: tuple[Key, ...] = (
    lambda layer: (layer.path, _does(layer)),
    _does_alone,
    lambda layer: (layer.path, layer.op),
)


def _by(key: Key, old: Sequence[Layer], new: Sequence[Layer]) -> Matches:
    """Pairs of equal keys, in order in both; a layer whose key is None is in none."""
    ours, theirs = (
        [(place, found) for place, layer in enumerate(some) if (found := key(layer)) is not None]
        for some in (old, new)
    )
    matcher = SequenceMatcher(
        None, [found for _, found in ours], [found for _, found in theirs], autojunk=False
    )
    return [
        (ours[block.a + n][0], theirs[block.b + n][0])
        for block in matcher.get_matching_blocks()
        for n in range(block.size)
    ]


def _resembling(old: Sequence[Layer], new: Sequence[Layer]) -> Matches:
    """The alignment whose pairs, all of one operation, resemble each other most together.

    By dynamic programming (Needleman and Wunsch 1970), with nothing lost for what is left over.
    """
    if len(old) * len(new) > _MOST_COMPARED:
        return _by(lambda layer: layer.op, old, new)
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        row, below = best[i], best[i + 1]
        for j in range(len(new) - 1, -1, -1):
            paired = below[j + 1] + _likeness(old[i], new[j])
            row[j] = max(below[j], row[j + 1], paired)
    found: Matches = []
    i = j = 0
    while i < len(old) and j < len(new):
        likeness = _likeness(old[i], new[j])
        if likeness and best[i][j] == best[i + 1][j + 1] + likeness:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return found


def _likeness(old: Layer, new: Layer) -> float:
    """0 for another operation; more for an equal output, parameters, and end of the path."""
    if old.op != new.op:
        return 0.0
    same_end = old.path.rpartition(".")[2] == new.path.rpartition(".")[2]
    return 1.0 + (old.shape == new.shape) + (old.params == new.params) + same_end
