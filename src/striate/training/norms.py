"""Batch norm over the images of all processes, as one process has it over the whole batch.

Torch's own ``SyncBatchNorm`` refuses the CPU and is a module of another type, which a network has
to be changed for.  Here the network stays as it is: inside ``reduced_norms`` each call of
``F.batch_norm`` that takes its statistics from the batch (whoever makes it: ``nn.BatchNorm2d``,
timm's norms, a user's forward) takes them from the whole batch.

Forward: each process finds its own count, mean and variance, centred before they are squared; all
gather them, in double precision, and join them by the formula of Chan,
Golub and LeVeque (1983, "Algorithms for computing the sample variance", equation 2.1): nothing is
lost where the mean is large against the deviation, as it is in a sum of squares.  Every process
computes the same numbers from the same words, so running statistics stay equal to the bit.

Backward: with g the gradient at the output, x̂ = (x − mean) / √(variance + eps) and N values a
channel in the whole batch, the gradient at the input is (Ioffe and Szegedy 2015, section 3)
w / √(variance + eps) · (g − Σg / N − x̂ · Σ(g·x̂) / N): the two sums are reduced over the processes.
Those of weight and bias are left as each process has them, since gradients of parameters are
averaged elsewhere.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

from striate.training.messages import Messages

_CALLED = inspect.signature(F.batch_norm)


class ReducedNorms(TorchFunctionMode):
    """Within ``with``, batch norms in training mode have the statistics of all processes that
    ``messages`` joins.
    """

    def __init__(self, messages: Messages) -> None:
        super().__init__()
        self._messages = messages

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.batch_norm:
            given = _CALLED.bind(*args, **kwargs)
            given.apply_defaults()
            if given.arguments["training"]:
                return reduced_batch_norm(**given.arguments, messages=self._messages)
        return func(*args, **kwargs)


def reduced_batch_norm(
    input: Tensor,  # noqa: A002  torch's own name
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    messages: Messages,
) -> Tensor:
    """``F.batch_norm`` in training mode over the batches of all processes as one.

    ``input``: (n, C, …), n of this process, which may differ; the result has its shape and type.
    ``running_mean``, ``running_var``: (C,), moved as ``nn.BatchNorm2d`` moves them: towards the
    mean and the unbiased variance of all N values, in place.  ``ValueError`` where N is 1.
    """
    assert training, "only statistics of the batch are reduced"
    apply = cast(Callable[..., Tensor], _ReducedBatchNorm.apply)
    return apply(input, weight, bias, running_mean, running_var, momentum, eps, messages)


class _ReducedBatchNorm(torch.autograd.Function):
    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] # torch's takes anything
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        momentum: float,
        eps: float,
        messages: Messages,
    ) -> Tensor:
        x = _dense(x)
        channels = x.shape[1]
        kind = torch.promote_types(x.dtype, torch.float32)
        own_mean, own_var = _moments(x, kind)
        number = own_mean.new_tensor([x.numel() // channels], dtype=torch.float64)
        rows = messages.gather(torch.cat([number, own_mean.double(), own_var.double()]))
        counts, (means, variances) = rows[:, :1], rows[:, 1:].chunk(2, dim=1)
        total = counts.sum()
        if total == 1:
            raise ValueError(
                "Expected more than 1 value per channel when training, got input size "
                f"{tuple(x.shape)} over all processes"
            )
        wide_mean = (counts * means).sum(0) / total
        wide_var = (counts * (variances + (means - wide_mean).square())).sum(0) / total
        with torch.no_grad():
            if running_mean is not None:
                running_mean.lerp_(wide_mean.to(running_mean.dtype), momentum)
            if running_var is not None:
                unbiased = wide_var * (total / (total - 1))
                running_var.lerp_(unbiased.to(running_var.dtype), momentum)
        mean, var = wide_mean.to(kind), wide_var.to(kind)
        weight = None if weight is None else weight.to(kind)
        bias = None if bias is None else bias.to(kind)
        ctx.save_for_backward(x, weight, mean, var)
        ctx.rest = (float(total), eps, messages)
        return _affine(x, weight, bias, mean, var, eps)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # as above
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor | None, ...]:
        x, weight, mean, var = ctx.saved_tensors
        total, eps, messages = ctx.rest
        order = (
            torch.channels_last
            if x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
            else torch.contiguous_format
        )
        gradient = gradient.contiguous(memory_format=order)
        # In evaluation mode the kernel gives the two sums over this process's own values.
        _, products, sums = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, var, None, None, False, eps, [False, True, True]
        )
        x_gradient = None
        if ctx.needs_input_grad[0]:
            both = messages.gather(torch.cat([sums, products]).double()).sum(0)
            wide_sums, wide_products = (both / total).to(mean.dtype).chunk(2)
            spread = (var + eps).rsqrt()
            slope = spread if weight is None else weight * spread
            # slope · (g − Σg/N − x̂·Σ(g·x̂)/N), as one affine map of g and one of x.
            along = -slope * spread * wide_products
            zero, one = torch.zeros_like(mean), torch.ones_like(mean)
            x_gradient = _affine(gradient, slope, -slope * wide_sums, zero, one, 0.0)
            x_gradient += _affine(x, along, None, mean, one, 0.0)
        return (
            x_gradient,
            products if ctx.needs_input_grad[1] else None,
            sums if ctx.needs_input_grad[2] else None,
            *(None,) * 5,
        )


def _moments(x: Tensor, kind: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel, in ``kind``."""
    channels = x.shape[1]
    if x.dtype != kind or not x.is_contiguous() or x.device.type != "cpu":
        start = x.new_zeros(channels, dtype=kind), x.new_ones(channels, dtype=kind)
        return torch.batch_norm_update_stats(x, *start, 0.0)
    # In row-major order torch's kernel takes five times as long as two passes of plain sums.
    number = x.numel() // channels
    across = [0, *range(2, x.dim())]
    mean = x.sum(across) / number
    centred = x - mean.view(-1, *(1,) * (x.dim() - 2))
    left = centred.sum(across) / number  # what rounding left in the mean: Chan et al., equation 1.7
    return mean + left, centred.square_().sum(across) / number - left.square()


def _affine(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor, var: Tensor, eps: float
) -> Tensor:
    """(x − mean) / √(var + eps) · weight + bias by channel, in one pass of torch's kernel."""
    return torch.native_batch_norm(x, weight, bias, mean, var, False, 0.0, eps)[0]


def _dense(x: Tensor) -> Tensor:
    """``x`` in an order that the kernels are fast in: its own where it is one, else row-major."""
    if x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return x
    return x.contiguous()
