"""Networks opened, so that the gradient shows all that they look at, and nothing else.

The oracle of receptive fields is the derivative: a pixel is in the field of an element if changing
it changes the element.  Three things hide pixels that a network looks at: weights that cancel,
nonlinearities that are flat where they happen to be, and maxima that look everywhere and take one.
So parameters are made positive, what is flat somewhere becomes the identity, a maximum over a
window becomes its mean, and all is computed in float64 by plain sums, in which what does not depend
is exactly zero.

What the tracer leaves out and says so (squeeze gates, and a norm's statistics over space) is held
constant here: whatever reduces a whole map to one position is detached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

FLAT = {
    "relu", "relu_", "relu6", "hardtanh", "hardtanh_", "hardswish", "hardswish_", "hardsigmoid",
    "hardsigmoid_", "leaky_relu", "leaky_relu_", "clamp", "clamp_", "clamp_min", "clamp_min_",
    "clamp_max", "threshold", "threshold_", "elu", "elu_", "selu", "celu", "prelu",
}  # fmt: skip
"""Flat somewhere; become the identity."""

EXTREMES = {"max", "min", "amax", "amin"}


def make_positive(module: nn.Module) -> None:
    """Positive weights of mean 1 / fan-in, small positive biases, plain statistics; float64.

    In place.  Weights are a function of a fixed seed and of the parameters' order.
    """
    parameters = list(module.parameters())
    if parameters and all(p.dtype is torch.float64 and not p.requires_grad for p in parameters):
        return  # it was done before
    module.double()
    generator = torch.Generator().manual_seed(0)
    for name, parameter in module.named_parameters():
        fan = parameter[0].numel() if parameter.dim() > 1 else 1
        scale = 0.01 if name.endswith("bias") else 1.0
        values = torch.rand(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data = (values * 0.5 + 0.75) * scale / max(1, fan)
        parameter.requires_grad_(False)
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.reset_running_stats()


class Opened(TorchFunctionMode):
    """A context in which what hides a dependence is replaced.

    ``gates``: let squeeze gates be seen too, and do not hold them constant.
    """

    def __init__(self, *, gates: bool = False) -> None:
        super().__init__()
        self._gates = gates

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in FLAT:
            return args[0]
        replaced = OTHERWISE.get(name)
        if replaced is not None:
            return replaced(*args, **kwargs)
        if name in EXTREMES and (over := _given_dim(args, kwargs)) is not None:
            return self._mean(name, args[0], over, keep=kwargs.get("keepdim", _third(args)))
        out = func(*args, **kwargs)
        if isinstance(out, Tensor) and args and _squeezes(name, args[0], out, args, kwargs):
            return self._held(out)
        return out

    def _held(self, out: Tensor) -> Tensor:
        return out if self._gates else out.detach()

    def _mean(self, name: str, given: Tensor, over: Any, *, keep: bool) -> Any:
        out = given.mean(over, keepdim=keep)
        if name in ("max", "min"):
            return torch.return_types.max((out, torch.zeros_like(out, dtype=torch.int64)))
        return out if isinstance(over, int) or len(over) < 2 else self._held(out)


def _given_dim(args: Any, kwargs: Any) -> Any:
    """The dimensions of a maximum, or None where it is that of two tensors, or of all elements."""
    over = args[1] if len(args) > 1 else kwargs.get("dim")
    return None if isinstance(over, Tensor) else over


def _third(args: Any) -> bool:
    return bool(args[2]) if len(args) > 2 else False


def _squeezes(name: str, given: Any, out: Tensor, args: Any, kwargs: Any) -> bool:
    """Whether this took a whole map to one position: a gate, or statistics over space."""
    if not isinstance(given, Tensor) or given.dim() < 3:
        return False
    if given.dim() == 3:  # tokens summed into one (additive attention)
        return name == "sum" and _given_dim(args, kwargs) == 1
    if name.startswith(("adaptive_avg_pool", "adaptive_max_pool", "avg_pool")):
        return out.shape[2:].numel() == 1 and given.shape[2:].numel() > 1
    if name in ("matmul", "__matmul__"):  # positions, each with a weight (global context)
        return out.shape[-1] == 1 < given.shape[-1]
    if name in ("mean", "sum", "norm", "vector_norm", "var", "std"):
        over = _given_dim(args, kwargs)
        return isinstance(over, (tuple, list)) and len(over) > 1
    return False


def _normalised(given: Tensor, *_: Any, **__: Any) -> Tensor:
    """A norm with its statistics held constant: of size 1, whatever comes in."""
    return given / given.detach().square().mean().sqrt()


def _max_pool(k: int) -> Callable[..., Any]:
    plain: Callable[..., Tensor] = (torch.max_pool1d, torch.max_pool2d, torch.max_pool3d)[k - 1]
    conv: Callable[..., Tensor] = (F.conv1d, F.conv2d, F.conv3d)[k - 1]

    def pool(
        given: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        kernel, sides, steps = (_k(v, k) for v in (kernel_size, padding, dilation))
        strides = kernel if stride is None or stride == [] else _k(stride, k)
        empty = torch.empty(given.shape, device="meta")
        shape = plain(empty, kernel, strides, sides, steps, ceil_mode).shape[-k:]
        more = [
            max(0, (m - 1) * s + d * (n_k - 1) + 1 - (n + 2 * p))
            for m, n, n_k, s, p, d in zip(
                shape, given.shape[-k:], kernel, strides, sides, steps, strict=True
            )
        ]
        amounts = [a for p, e in zip(sides[::-1], more[::-1], strict=True) for a in (p, p + e)]
        channels = given.shape[1]
        weight = torch.full((channels, 1, *kernel), 1 / _product(kernel), dtype=given.dtype)
        out = conv(F.pad(given, amounts), weight, None, strides, 0, steps, channels)
        for d in range(k):
            out = out.narrow(d - k, 0, shape[d])
        return (out, torch.zeros_like(out, dtype=torch.int64)) if return_indices else out

    return pool


def _adaptive(mean: Callable[..., Tensor]) -> Callable[..., Any]:
    def pool(given: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        out = mean(given, output_size)
        return (out, torch.zeros_like(out, dtype=torch.int64)) if return_indices else out

    return pool


def _k(value: Any, k: int) -> tuple[int, ...]:
    return (value,) * k if isinstance(value, int) else tuple(int(v) for v in value)


def _product(values: tuple[int, ...]) -> int:
    product = 1
    for value in values:
        product *= value
    return product


OTHERWISE: dict[str, Callable[..., Any]] = {
    "batch_norm": _normalised,
    "group_norm": _normalised,
    "instance_norm": _normalised,
    **{f"{under}max_pool{k}d": _max_pool(k) for k in (1, 2, 3) for under in ("", "_")},
    "adaptive_max_pool1d": _adaptive(F.adaptive_avg_pool1d),
    "adaptive_max_pool2d": _adaptive(F.adaptive_avg_pool2d),
    "adaptive_max_pool3d": _adaptive(F.adaptive_avg_pool3d),
}
"""Functions by name, and what stands for them."""
