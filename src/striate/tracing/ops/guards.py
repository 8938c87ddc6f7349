"""What PyTorch's kernels refuse and its meta kernels let pass.

Convolutions and matrix products on the meta device do not look at types, biases or the channels
of a transposed convolution; a trace must fail where the forward would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

Guard = Callable[[Sequence[Any], Mapping[str, Any]], None]


def _same_type(tensors: Sequence[Any]) -> None:
    kinds = list(dict.fromkeys(t.dtype for t in tensors if isinstance(t, torch.Tensor)))
    if len(kinds) > 1 and not torch.is_autocast_enabled("cpu") and not torch.is_autocast_enabled():
        first, second = (str(kind).removeprefix("torch.") for kind in kinds[:2])
        raise RuntimeError(f"its input is {first} and its weight {second}; they must be the same")


def _bias_fits(bias: Any, channels: int) -> None:
    if isinstance(bias, torch.Tensor) and tuple(bias.shape) != (channels,):
        raise RuntimeError(f"has {channels} channels, and a bias of {tuple(bias.shape)}")


def _conv(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    bias = args[2] if len(args) > 2 else kwargs.get("bias")
    groups = args[6] if len(args) > 6 else kwargs.get("groups", 1)
    channels = args[1].shape[0]
    _same_type(args[:2])
    _bias_fits(bias, channels)
    if channels % groups:
        raise RuntimeError(f"{groups} groups do not divide {channels} channels")


def _conv_transpose(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    given, weight = args[:2]
    bias = args[2] if len(args) > 2 else kwargs.get("bias")
    groups = args[6] if len(args) > 6 else kwargs.get("groups", 1)
    _same_type(args[:2])
    batched = given.dim() == weight.dim()
    if given.shape[1 if batched else 0] != weight.shape[0]:
        raise RuntimeError(f"takes {weight.shape[0]} channels, and its input is {given.shape}")
    _bias_fits(bias, weight.shape[1] * groups)


def _products(args: Sequence[Any], _: Mapping[str, Any]) -> None:
    _same_type(args[:3])


def _attention(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    mask = args[3] if len(args) > 3 else kwargs.get("attn_mask")
    if not isinstance(mask, torch.Tensor):
        return
    query, key = args[:2]
    scores = (*query.shape[:-1], key.shape[-2])
    pairs = zip(reversed(mask.shape), reversed(scores), strict=False)
    if mask.dim() > len(scores) or any(n not in (1, m) for n, m in pairs):
        raise RuntimeError(f"its scores are {scores}, and its mask {tuple(mask.shape)}")


GUARDS: dict[str, Guard] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _conv_transpose),
    **dict.fromkeys(("linear", "matmul", "bmm", "mm", "addmm", "baddbmm", "mv", "dot"), _products),
    "scaled_dot_product_attention": _attention,
}
"""By the operator's bare name."""
