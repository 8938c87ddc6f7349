"""What puts elements in other places: concatenation, rolls, shuffles, indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from striate.tracing.fields import joins, moves, splitting
from striate.tracing.fields.joins import anywhere
from striate.tracing.fields.reach import Rank, Reach, still
from striate.tracing.ops.call import Call, Effect, op, tensors_in


@op("cat", "concat", "concatenate", name="cat")
def cat(call: Call) -> Effect:
    """(tensors, dim)."""
    tensors = [t for t in call.args[0] if t.dim() == call.out.dim()]
    d = call.get(1, "dim", 0) % call.out.dim()
    parts = [(call.reach_of(tensor), tensor.shape[d]) for tensor in tensors]
    attrs = {"dim": d}
    if all(reach is None for reach, _ in parts):
        return Effect(attrs=attrs)
    return Effect(joins.concatenate(parts, d, tuple(call.out.shape)), attrs=attrs)


@op("stack")
def stack(call: Call) -> Effect:
    """(tensors, dim): a new dimension that tells them apart."""
    tensors = list(call.args[0])
    d = call.get(1, "dim", 0) % call.out.dim()
    parts: list[tuple[Reach | None, int]] = []
    for tensor in tensors:
        reach = call.reach_of(tensor)
        parts.append((reach and moves.unsqueeze(reach, d), 1))
    attrs = {"dim": d}
    if all(reach is None for reach, _ in parts):
        return Effect(attrs=attrs)
    return Effect(joins.concatenate(parts, d, tuple(call.out.shape)), attrs=attrs)


@op("roll")
def roll(call: Call) -> Effect:
    """(input, shifts, dims)."""
    reach = call.reach
    if reach is None:
        return Effect()
    shifts, dims = _listed(call.args[1]), _listed(call.get(2, "dims", []))
    attrs = {"shifts": tuple(shifts), "dims": tuple(dims)}
    if not dims:
        return Effect(anywhere(reach, reach.shape), attrs=attrs)
    for shift, d in zip(shifts, dims, strict=True):
        reach = moves.roll(reach, d % call.args[0].dim(), shift)
    return Effect(reach, attrs=attrs)


def _listed(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else [int(v) for v in value]


@op("flip", "fliplr", "flipud")
def flip(call: Call) -> Effect:
    """(input, dims): dimensions read backwards."""
    reach = call.reach
    if reach is None:
        return Effect()
    dims = {"fliplr": [1], "flipud": [0]}.get(call.name) or _listed(call.args[1])
    for d in dims:
        d %= call.args[0].dim()
        backwards = np.arange(call.args[0].shape[d], dtype=np.int64)[::-1].copy()
        reach = reach.each(lambda term, d=d, i=backwards: moves.pick(term, d, i))
    return Effect(reach)


@op("repeat", "tile")
def repeat(call: Call) -> Effect:
    """(input, times): dimensions written out several times over."""
    reach = call.reach
    if reach is None:
        return Effect()
    out = call.out
    reach = moves.expand(reach, (*(1,) * (out.dim() - call.args[0].dim()), *call.args[0].shape))
    for d, (n, m) in enumerate(zip(reach.shape, tuple(out.shape), strict=True)):
        if n != m:
            again = np.arange(m, dtype=np.int64) % n
            reach = reach.each(lambda term, d=d, i=again: moves.pick(term, d, i))
    return Effect(reach)


@op("repeat_interleave")
def repeat_interleave(call: Call) -> Effect:
    """(input, repeats, dim) with one number of repeats."""
    reach = call.reach
    repeats, d = call.get(1, "repeats"), call.get(2, "dim")
    if reach is None:
        return Effect()
    if not isinstance(repeats, int) or d is None:
        return Effect(anywhere(reach, tuple(call.out.shape)))
    d %= call.args[0].dim()
    index = np.arange(call.args[0].shape[d], dtype=np.int64).repeat(repeats)
    return Effect(reach.each(lambda term: moves.pick(term, d, index)))


@op("pixel_shuffle")
def pixel_shuffle(call: Call) -> Effect:
    """(…, C·r², H, W) → (…, C, H·r, W·r)."""
    reach = call.reach
    r = call.args[1]
    if reach is None:
        return Effect()
    *outer, channels, height, width = call.args[0].shape
    k = len(outer)
    reach = splitting.reshape(reach, (*outer, channels // r**2, r, r, height, width))
    reach = moves.permute(reach, (*range(k), k, k + 3, k + 1, k + 4, k + 2))
    return Effect(splitting.reshape(reach, tuple(call.out.shape)), attrs={"factor": r})


@op("pixel_unshuffle")
def pixel_unshuffle(call: Call) -> Effect:
    """(…, C, H·r, W·r) → (…, C·r², H, W)."""
    reach = call.reach
    r = call.args[1]
    if reach is None:
        return Effect()
    *outer, channels, height, width = call.args[0].shape
    k = len(outer)
    reach = splitting.reshape(reach, (*outer, channels, height // r, r, width // r, r))
    reach = moves.permute(reach, (*range(k), k, k + 2, k + 4, k + 1, k + 3))
    return Effect(splitting.reshape(reach, tuple(call.out.shape)), attrs={"factor": r})


@op("channel_shuffle", "native_channel_shuffle", name="channel_shuffle")
def channel_shuffle(call: Call) -> Effect:
    """(input, groups): channels of different groups side by side."""
    reach = call.reach
    groups = call.args[1]
    if reach is None:
        return Effect()
    n, channels, *space = call.args[0].shape
    reach = splitting.reshape(reach, (n, groups, channels // groups, *space))
    reach = moves.permute(reach, (0, 2, 1, *range(3, len(space) + 3)))
    return Effect(splitting.reshape(reach, tuple(call.out.shape)), attrs={"groups": groups})


@op("index", "index_select", "gather", "take_along_dim", "embedding", "take")
def index(call: Call) -> Effect:
    """Positions chosen by other tensors, whose values are not known here."""
    reach = call.reach
    indices = call.args[1:]
    choosers = [seen for t in tensors_in(indices) if (seen := call.reach_of(t)) is not None]
    out = tuple(call.out.shape)
    if reach is None:
        return Effect(anywhere(choosers[0], out, Rank.DATA) if choosers else None)
    if call.name == "index_select" and not choosers:
        d: int = call.args[1] % call.args[0].dim()
        if all(still(term.dims[d]) for term in reach.terms):
            seen = joins.everywhere(reach, {d})
            return Effect(moves.take(seen, d, 0, 1, out[d]))
    return Effect(anywhere(reach, out, Rank.DATA if choosers else Rank.BOUND))
