"""What sums, averages or picks over whole dimensions."""

from __future__ import annotations

from typing import Any

import torch

from striate.tracing.fields.joins import without
from striate.tracing.ops.call import Call, Effect, op

_AT = {"norm": 2, "linalg_vector_norm": 2, "renorm": 2, "quantile": 2}
_KEEP = {"norm": 3, "linalg_vector_norm": 3, "var": 3, "std": 3, "var_mean": 3, "std_mean": 3}


@op("mean", "sum", "amax", "amin", "prod", "var", "std", "var_mean", "std_mean", "norm",
    "logsumexp", "linalg_vector_norm", "any", "all", "nanmean", "nansum", "aminmax",
    "max", "min", "argmax", "argmin", "median", "count_nonzero", "mode", "kthvalue")  # fmt: skip
def reduce(call: Call) -> Effect:
    """(input, dims, keepdim): every element sees all it was made of.

    ``max`` and ``min`` of two tensors are element-wise.
    """
    if call.name in ("max", "min") and isinstance(call.get(1, "other"), torch.Tensor):
        from striate.tracing.ops.pointwise import pointwise

        return pointwise(call)
    rank = call.args[0].dim()
    over = _over(call, rank)
    attrs = {"dims": tuple(sorted(over))}
    reach = call.reach
    if reach is None:
        return Effect(attrs=attrs)
    keep = call.first.dim() == rank
    seen = without(reach, over, keep=keep)
    return Effect(call.each_output(seen), attrs=attrs)


def _over(call: Call, rank: int) -> set[int]:
    position = 2 if call.name == "kthvalue" else _AT.get(call.name, 1)
    dims: Any = call.get(position, "dim")
    if isinstance(dims, bool):
        dims = None
    if dims is None or dims == []:
        return set(range(rank))
    if isinstance(dims, int):
        return {dims % rank} if rank else set()
    return {int(d) % rank for d in dims}
