"""Multiply-accumulates of the backward pass of one operation, from those of its forward.

The gradient of a product with respect to either factor takes as many multiply-accumulates as the
product took: dX = dY·Wᵀ and dW = Xᵀ·dY for a linear layer, and alike for every convolution,
grouped or transposed, since each product of the forward occurs once in each gradient.  A factor
that needs no gradient (the image, a frozen weight) costs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch

from striate.tracing.values import Values

_FACTORS = {"addmm": (1, 2), "baddbmm": (1, 2)}
"""Positions of the factors among the arguments, where they are not the first two."""


def backward_macs(name: str, args: Sequence[Any], macs: int | None, values: Values) -> int | None:
    """Of one call; None where its forward is not understood and a gradient goes through it."""
    if macs == 0:
        return 0
    if macs is None:
        needed = [a for a in args if isinstance(a, torch.Tensor) and values.of(a).grad]
        return None if needed else 0
    if name == "scaled_dot_product_attention":
        query, key, value = args[:3]
        needs = values.of(query).grad, values.of(key).grad, values.of(value).grad
        return _attention(tuple(query.shape), tuple(key.shape), tuple(value.shape), needs)
    factors = _FACTORS.get(name, (0, 1))
    return macs * sum(1 for i in factors if len(args) > i and values.of(args[i]).grad)


def _attention(
    query: tuple[int, ...],
    key: tuple[int, ...],
    value: tuple[int, ...],
    needs: tuple[bool, bool, bool],
) -> int:
    """The scores are worked out again, not kept (Dao et al. 2022, algorithm 4).

    dV = Pᵀ·dO; dP = dO·Vᵀ, from which dQ = dS·K and dK = dSᵀ·Q.
    """
    if not any(needs):
        return 0
    pairs = prod(query[:-1]) * key[-2]
    scores, values = pairs * query[-1], pairs * value[-1]
    total = scores + (values if needs[2] else 0)
    if needs[0] or needs[1]:
        total += values + scores * (needs[0] + needs[1])
    return total
