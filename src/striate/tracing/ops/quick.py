"""The empty output of frequent operations, where their shapes are plain.

PyTorch finds the shapes of some operations on the meta device by running a decomposition in
Python, which takes longer than all else in a trace.  For the plain cases (contiguous tensors of
one type that fit each other) the output is known beforehand; anything else, above all shapes that
do not fit, is left to PyTorch and its errors.

That each output has the shape, strides and type that PyTorch's own kernel gives is a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

Tensor = torch.Tensor
Quick = Callable[[Sequence[Any], Mapping[str, Any]], Tensor | None]


def _like(given: Tensor, shape: Sequence[int] | None = None) -> Tensor:
    size = given.shape if shape is None else shape
    return torch.empty(size, dtype=given.dtype, device="meta")


def _plain(tensor: Any) -> bool:
    return isinstance(tensor, Tensor) and tensor.is_meta and tensor.is_contiguous()


def _fits(tensor: Any, shape: Sequence[int], dtype: torch.dtype) -> bool:
    return tensor is None or (tuple(tensor.shape) == tuple(shape) and tensor.dtype is dtype)


def conv2d(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """(input, weight, bias, stride, padding, dilation, groups); padding may be a word."""
    given, weight = args[:2]
    if kwargs or not _plain(given) or not _plain(weight) or given.dim() != 4 != weight.dim():
        return None
    bias, stride, padding, dilation, groups = _LEFT_OUT if len(args) == 2 else (
        *args[2:], *_LEFT_OUT[len(args) - 2 :]
    )  # fmt: skip
    out, inside, *kernel = weight.shape
    fits = given.dtype is weight.dtype and _fits(bias, (out,), given.dtype)
    if not fits or groups < 1 or out % groups or inside * groups != given.shape[1]:
        return None
    sides: list[int] = []
    for axis, (side, k) in enumerate(zip(given.shape[2:], kernel, strict=True)):
        steps = [value[-1 if len(value) == 1 else axis] for value in (stride, padding, dilation)
                 if not isinstance(value, str)]  # fmt: skip
        if len(steps) < 3 or steps[0] < 1 or steps[1] < 0 or steps[2] < 1 or k < 1:
            return None
        sides.append((side + 2 * steps[1] - steps[2] * (k - 1) - 1) // steps[0] + 1)
    return _like(given, (given.shape[0], out, *sides)) if min(sides) > 0 else None


_LEFT_OUT: tuple[Any, ...] = (None, (1,), (0,), (1,), 1)
"""A convolution's arguments behind its weight, where they are left out."""


def batch_norm(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """(input, weight, bias, mean, variance, training, …)."""
    given = args[0]
    if kwargs or len(args) < 6 or not _plain(given) or given.dim() < 2:
        return None
    channels = (given.shape[1],)
    if not all(_fits(args[i], channels, given.dtype) for i in (1, 2, 3, 4)):
        return None
    if args[5]:  # statistics of the batch, which one value does not have
        return _like(given) if given.numel() > given.shape[1] else None
    return _like(given) if args[3] is not None and args[4] is not None else None


def layer_norm(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """(input, normalised shape, weight, bias, eps); the output is contiguous in any case."""
    given = args[0]
    if kwargs or not isinstance(given, Tensor) or not given.is_meta:
        return None
    shape = tuple(args[1])
    if tuple(given.shape[given.dim() - len(shape) :]) != shape:
        return None
    fits = all(_fits(value, shape, given.dtype) for value in args[2:4])
    return _like(given) if fits else None


def linear(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """(input, weight, bias)."""
    given, weight = args[:2]
    if kwargs or not _plain(given) or given.dim() < 2 or weight.dim() != 2:
        return None
    out, features = weight.shape
    if given.shape[-1] != features or weight.dtype is not given.dtype or not weight.is_meta:
        return None
    bias = args[2] if len(args) > 2 else None
    return _like(given, (*given.shape[:-1], out)) if _fits(bias, (out,), given.dtype) else None


def unary(args: Sequence[Any], _: Mapping[str, Any]) -> Tensor | None:
    """(input): an activation."""
    given = args[0]
    return _like(given) if _plain(given) and given.dtype.is_floating_point else None


def binary(args: Sequence[Any], _: Mapping[str, Any]) -> Tensor | None:
    """(input, other) of one shape and type, or a float and a number."""
    given, other = args[:2]
    if not _plain(given) or not given.dtype.is_floating_point:
        return None
    if isinstance(other, Tensor):
        return _like(given) if _plain(other) and _spreads(other, given) else None
    return _like(given) if isinstance(other, (int, float)) else None


def _spreads(other: Tensor, given: Tensor) -> bool:
    """Whether ``other`` is of the type of ``given``, and of its shape or 1 along some axes."""
    return (
        other.dtype is given.dtype
        and other.dim() == given.dim()
        and all(b in (a, 1) for a, b in zip(given.shape, other.shape, strict=True))
    )


def written(args: Sequence[Any], _: Mapping[str, Any]) -> Tensor | None:
    """(input): an activation in place, which gives back what it was given."""
    given = args[0]
    return given if _plain(given) and given.dtype.is_floating_point else None


def written_with(args: Sequence[Any], _: Mapping[str, Any]) -> Tensor | None:
    """(input, other): a sum or product in place."""
    given, other = args[:2]
    if not _plain(given) or not given.dtype.is_floating_point:
        return None
    if isinstance(other, Tensor):
        return given if _plain(other) and _spreads(other, given) else None
    return given if isinstance(other, (int, float)) else None


def cat(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """(tensors, axis), all of one type and of one shape but along the axis."""
    parts, axis = args[0], args[1] if len(args) > 1 else 0
    if kwargs or not parts or not all(_plain(part) for part in parts):
        return None
    first = parts[0]
    if not -first.dim() <= axis < first.dim():
        return None
    axis %= first.dim()
    rest = (*first.shape[:axis], *first.shape[axis + 1 :])
    for part in parts:
        if part.dim() != first.dim() or part.dtype is not first.dtype:
            return None
        if (*part.shape[:axis], *part.shape[axis + 1 :]) != rest:
            return None
    along = sum(part.shape[axis] for part in parts)
    return _like(first, (*rest[:axis], along, *rest[axis:]))


def mean(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """(input, axes, whether to keep them)."""
    given, axes = args[0], args[1] if len(args) > 1 else None
    if kwargs or not _plain(given) or not given.dtype.is_floating_point or not axes:
        return None
    over = {axis % given.dim() for axis in axes if -given.dim() <= axis < given.dim()}
    if len(over) < len(axes):
        return None
    keep = len(args) > 2 and args[2]
    sides = (1 if d in over else n for d, n in enumerate(given.shape) if keep or d not in over)
    return _like(given, tuple(sides))


def adaptive_pool(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """(input, sides)."""
    given, sides = args
    if kwargs or not _plain(given) or given.dim() != 4 or len(sides) != 2:
        return None
    if not given.dtype.is_floating_point or not given.numel() or min(sides) < 1:
        return None
    return _like(given, (*given.shape[:2], *sides))


def attention(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """(query, key, value, …), each (N, heads, tokens, features).

    The output is laid out like the query, as the fused kernels have it.
    """
    query, key, value = args[:3]
    if query.dim() != 4 or key.dim() != 4 or value.dim() != 4 or kwargs.get("enable_gqa"):
        return None
    n, heads, _, features = query.shape
    fits = (
        tuple(key.shape[:2]) == (n, heads) == tuple(value.shape[:2])
        and key.shape[3] == features == value.shape[3]
        and key.shape[2] == value.shape[2]
        and query.dtype is key.dtype is value.dtype
    )
    if not fits or not query.is_meta:
        return None
    return torch.empty_like(query)


QUICK: dict[str, Quick] = {
    "aten::conv2d": conv2d,
    "aten::batch_norm": batch_norm,
    "aten::layer_norm": layer_norm,
    "aten::linear": linear,
    "aten::gelu": unary,
    "aten::silu": unary,
    "aten::sigmoid": unary,
    "aten::hardswish": unary,
    "aten::hardsigmoid": unary,
    "aten::relu": unary,
    "aten::tanh": unary,
    "aten::hardtanh": unary,
    "aten::leaky_relu": unary,
    "aten::silu_": written,
    "aten::sigmoid_": written,
    "aten::hardswish_": written,
    "aten::hardsigmoid_": written,
    "aten::relu_": written,
    "aten::tanh_": written,
    "aten::hardtanh_": written,
    "aten::leaky_relu_": written,
    "aten::add.Tensor": binary,
    "aten::sub.Tensor": binary,
    "aten::mul.Tensor": binary,
    "aten::div.Tensor": binary,
    "aten::add_.Tensor": written_with,
    "aten::mul_.Tensor": written_with,
    "aten::cat": cat,
    "aten::mean.dim": mean,
    "aten::adaptive_avg_pool2d": adaptive_pool,
    "aten::scaled_dot_product_attention": attention,
}
"""By the operator's full name, overload included."""
