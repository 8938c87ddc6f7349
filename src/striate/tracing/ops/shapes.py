"""What moves elements about: views, permutes, slices, joins of tensors."""

from __future__ import annotations

import torch

from striate.tracing.fields import moves, splitting
from striate.tracing.fields.reach import Reach
from striate.tracing.ops.call import Call, Effect, op


@op("view", "reshape", "_unsafe_view", "view_as", "reshape_as", "_reshape_alias", "view_copy",
    kind="view")  # fmt: skip
def view(call: Call) -> Effect:
    """(input, size): the same elements in order, or the same bytes as another type."""
    name = "reshape" if "reshape" in call.name else "view"
    if isinstance(call.get(1, "dtype"), torch.dtype):
        return Effect(call.reach, name=name)
    return Effect(_reshaped(call), name=name)


@op("flatten", "unflatten", "squeeze", "unsqueeze", "squeeze_", "unsqueeze_",
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
    return reach and splitting.reshape(reach, tuple(call.out.shape))


@op("permute", "transpose", "t", "transpose_", "t_", "numpy_T", "swapaxes", "swapdims", "mT",
    "movedim", "moveaxis", "adjoint", kind="view")  # fmt: skip
def permute(call: Call) -> Effect:
    """Dimensions in another order, however it is written."""
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
    """(input, size): broadcast without a copy."""
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
    """(input, dim): one tensor for each index of a dimension."""
    reach = call.reach
    if reach is None:
        return Effect()
    d = call.get(1, "dim", 0) % call.args[0].dim()
    return Effect([moves.select(reach, d, i) for i in range(len(call.out))], attrs={"dim": d})


@op("chunk", "split", "split_with_sizes", "tensor_split", "unsafe_chunk", "unsafe_split",
    "hsplit", "vsplit", "unsafe_split_with_sizes", kind="view")  # fmt: skip
def split(call: Call) -> Effect:
    """(input, sizes or their number, dim): parts of a dimension."""
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
