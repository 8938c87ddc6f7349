"""What moves elements about: views, permutes, slices, joins of tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from striate.tracing.fields import joins, moves
from striate.tracing.fields.joins import anywhere
from striate.tracing.fields.reach import Rank, Reach, still
from striate.tracing.ops.call import Call, Effect, op, tensors_in


@op("view", "reshape", "_unsafe_view", "view_as", "reshape_as", "_reshape_alias", "view_copy",
    kind="view")  # fmt: skip
def view(call: Call) -> Effect:
    name = "reshape" if "reshape" in call.name else "view"
    if isinstance(call.get(1, "dtype"), torch.dtype):
        return Effect(call.reach, name=name)
    return Effect(_reshaped(call), name=name)


@op("flatten", "unflatten", "squeeze", "unsqueeze", "squeeze_", "unsqueeze_", "_unsafe_masked",
    kind="view")  # fmt: skip
def same_order(call: Call) -> Effect:
    """The elements keep their order; dimensions are joined, split, added or taken away."""
    reach = call.reach
    if reach is None:
        return Effect()
    given, out = call.args[0], call.out
    if call.name.startswith("unsqueeze"):
        return Effect(moves.unsqueeze(reach, call.args[1] % out.dim()))
    if call.name.startswith("squeeze"):
        asked = call.get(1, "dim")
        asked = (
            range(given.dim()) if asked is None else [asked] if isinstance(asked, int) else asked
        )
        over = {d % given.dim() for d in asked if given.shape[d] == 1}
        return Effect(moves.squeeze(reach, over))
    return Effect(_reshaped(call))


def _reshaped(call: Call) -> Reach | None:
    reach = call.reach
    return reach and moves.reshape(reach, tuple(call.out.shape))


@op("permute", "transpose", "t", "transpose_", "t_", "numpy_T", "swapaxes", "swapdims", "mT",
    "movedim", "moveaxis", "adjoint", kind="view")  # fmt: skip
def permute(call: Call) -> Effect:
    reach = call.reach
    name = "permute" if call.name == "permute" else "transpose"
    if reach is None:
        return Effect(name=name)
    return Effect(moves.permute(reach, _order(call)), name=name)


def _order(call: Call) -> list[int]:
    """Which old dimension each new one is."""
    rank = len(call.out.shape)
    order = list(range(rank))
    name = call.name.rstrip("_")
    if name == "permute":
        return [d % rank for d in call.args[1]]
    if name in ("t", "numpy_T"):
        return order[::-1]
    if name in ("mT", "adjoint"):
        return [*order[:-2], order[-1], order[-2]]
    first, second = call.args[1], call.args[2]
    if name in ("movedim", "moveaxis"):
        source = [first] if isinstance(first, int) else list(first)
        target = [second] if isinstance(second, int) else list(second)
        source, target = [d % rank for d in source], [d % rank for d in target]
        left = iter(d for d in order if d not in source)
        return [source[target.index(d)] if d in target else next(left) for d in order]
    first, second = first % rank, second % rank
    order[first], order[second] = second, first
    return order


@op("expand", "expand_as", "broadcast_to", kind="view")
def expand(call: Call) -> Effect:
    reach = call.reach
    return Effect(reach and moves.expand(reach, tuple(call.out.shape)), name="expand")


@op("slice", "narrow", kind="view")
def slice_(call: Call) -> Effect:
    """(input, dim, start, end, step), or narrow's (input, dim, start, length)."""
    reach = call.reach
    given = call.args[0]
    d = call.get(1, "dim", 0) % given.dim()
    n = given.shape[d]
    start = call.get(2, "start") or 0
    start = min(max(int(start) + (n if start < 0 else 0), 0), n)
    step = call.get(4, "step", 1) if call.name == "slice" else 1
    kept = call.out.shape[d]
    attrs = {"dim": d, "start": start, "step": step}
    if reach is None or kept == 0:
        return Effect(reach and moves.expand(reach, tuple(call.out.shape)), attrs=attrs)
    return Effect(moves.take(reach, d, start, step, kept), attrs=attrs)


@op("select", kind="view")
def select(call: Call) -> Effect:
    """(input, dim, index)."""
    reach = call.reach
    given = call.args[0]
    d = call.args[1] % given.dim()
    index = call.args[2] % given.shape[d]
    return Effect(reach and moves.select(reach, d, index), attrs={"dim": d, "index": index})


@op("unbind", kind="view")
def unbind(call: Call) -> Effect:
    reach = call.reach
    if reach is None:
        return Effect()
    d = call.get(1, "dim", 0) % call.args[0].dim()
    return Effect([moves.select(reach, d, i) for i in range(len(call.out))], attrs={"dim": d})


@op("chunk", "split", "split_with_sizes", "tensor_split", "unsafe_chunk", "unsafe_split",
    "hsplit", "vsplit", "unsafe_split_with_sizes", kind="view")  # fmt: skip
def split(call: Call) -> Effect:
    reach = call.reach
    rank = call.args[0].dim()
    position = {"hsplit": 1, "vsplit": 0}.get(call.name, call.get(2, "dim", 0))
    d = position % rank
    name = "chunk" if "chunk" in call.name else "split"
    attrs = {"dim": d}
    if reach is None:
        return Effect(attrs=attrs, name=name)
    outs: list[Reach | None] = []
    at = 0
    for part in call.out:
        n = part.shape[d]
        outs.append(moves.take(reach, d, at, 1, n))
        at += n
    return Effect(outs, attrs=attrs, name=name)


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
    reach = moves.reshape(reach, (*outer, channels // r**2, r, r, height, width))
    reach = moves.permute(reach, (*range(k), k, k + 3, k + 1, k + 4, k + 2))
    return Effect(moves.reshape(reach, tuple(call.out.shape)), attrs={"factor": r})


@op("pixel_unshuffle")
def pixel_unshuffle(call: Call) -> Effect:
    """(…, C, H·r, W·r) → (…, C·r², H, W)."""
    reach = call.reach
    r = call.args[1]
    if reach is None:
        return Effect()
    *outer, channels, height, width = call.args[0].shape
    k = len(outer)
    reach = moves.reshape(reach, (*outer, channels, height // r, r, width // r, r))
    reach = moves.permute(reach, (*range(k), k, k + 2, k + 4, k + 1, k + 3))
    return Effect(moves.reshape(reach, tuple(call.out.shape)), attrs={"factor": r})


@op("channel_shuffle", "native_channel_shuffle", name="channel_shuffle")
def channel_shuffle(call: Call) -> Effect:
    """(input, groups): channels of different groups side by side."""
    reach = call.reach
    groups = call.args[1]
    if reach is None:
        return Effect()
    n, channels, *space = call.args[0].shape
    reach = moves.reshape(reach, (n, groups, channels // groups, *space))
    reach = moves.permute(reach, (0, 2, 1, *range(3, len(space) + 3)))
    return Effect(moves.reshape(reach, tuple(call.out.shape)), attrs={"groups": groups})


@op("index", "index_select", "gather", "take_along_dim", "embedding", "take")
def index(call: Call) -> Effect:
    """Positions chosen by other tensors, whose values are not known here."""
    reach = call.reach
    indices = call.args[1:]
    chosen = any(call.reach_of(t) is not None for t in _tensors(indices))
    out = tuple(call.out.shape)
    if reach is None:
        if not chosen:
            return Effect()
        source = next(r for t in _tensors(indices) if (r := call.reach_of(t)) is not None)
        return Effect(anywhere(source, out, Rank.DATA))
    if call.name == "index_select" and not chosen:
        d = call.args[1] % call.args[0].dim()
        if all(still(term.dims[d]) for term in reach.terms):
            seen = joins.everywhere(reach, {d})
            return Effect(moves.take(seen, d, 0, 1, out[d]))
    return Effect(anywhere(reach, out, Rank.DATA if chosen else Rank.BOUND))


def _tensors(values: Any) -> list[torch.Tensor]:
    return list(tensors_in(values))


@op("contiguous", "detach", "type_as", "alias", "to", "_to_copy", "lift_fresh", "resolve_conj",
    "resolve_neg", "positive", "detach_", "data", "pin_memory", "_conj", "cuda", "cpu",
    "float", "half", "double", "requires_grad_", "lift_fresh_copy", "set_data", "_autocast_to_full_precision",
    "_autocast_to_reduced_precision", kind="alias")  # fmt: skip
def alias(call: Call) -> Effect:
    """The same values, at most in another layout or type."""
    return Effect(call.reach)


@op("empty", "zeros", "ones", "full", "arange", "linspace", "eye", "rand", "randn", "randint",
    "empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like", "new_empty",
    "new_zeros", "new_ones", "new_full", "empty_strided", "new_empty_strided", "scalar_tensor",
    "randperm", "bernoulli", "tril_indices", "triu_indices", "logspace", "empty_permuted",
    "randint_like", "hann_window", "normal_functional", "_shape_as_tensor", "sym_size",
    "sym_numel", "sym_stride", "is_same_size", "normal_", "uniform_", "bernoulli_",
    "randint", "random_", "trunc_normal_", kind="make")  # fmt: skip
def make(_: Call) -> Effect:
    """From nothing: no pixel is seen."""
    return Effect()
