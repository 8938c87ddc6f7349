"""Attention as ptflops counts it: by a formula for the module as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from striate.records.reconciliation import Counted


def multihead(
    part: nn.MultiheadAttention, path: str, macs: int, given: tuple[Any, ...]
) -> Iterator[Counted]:
    """``nn.MultiheadAttention``: projections and products, scaling, softmax and biases."""
    query, key, value = given[:3]
    batch, at = (0, 1) if part.batch_first else (1, 0)
    n, lq, lk, lv = query.shape[batch], query.shape[at], key.shape[at], value.shape[at]
    dq, dk, dv = query.shape[2], key.shape[2], value.shape[2]
    heads = part.num_heads
    products = heads * lq * lk * (dq // heads + dv // heads)
    meant = n * (lq * dq * dq + lk * dk * dk + lv * dv * dv + products + lq * dv * dv)
    biases = (lq + lk + lv) * dq if "in_proj_bias" in dict(part.named_parameters()) else 0
    extras = {
        "scaling": n * lq * dq,
        "softmax": n * heads * lq * lk,
        "bias": n * (biases + lq * dv),
    }
    yield from _parts(path, macs, meant, extras)


def of_timm(part: Any, path: str, macs: int, given: tuple[Any, ...]) -> Iterator[Counted]:
    """timm's ``Attention``: both products, scaling and softmax; its linear layers are left out."""
    n, length, _ = given[0].shape
    width = part.head_dim * part.num_heads
    extras = {
        "scaling": n * length * width,
        "softmax": n * part.num_heads * length * length,
    }
    yield from _parts(path, macs, 2 * n * length * length * width, extras)


def _parts(path: str, macs: int, meant: int, extras: dict[str, int]) -> Iterator[Counted]:
    if macs != meant + sum(extras.values()):
        yield Counted(path=path, op="attention", macs=macs, meant=meant)
        return
    yield Counted(path=path, op="attention", macs=meant, meant=meant)
    for op, more in extras.items():
        if more:
            why = f"counts the {op} of attention, one for each element"
            yield Counted(path=path, op=op, macs=more, meant=0, why=why)
