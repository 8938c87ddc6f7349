"""Muon for the filters, SGD for the rest (Jordan et al. 2024, "Muon: an optimizer for hidden layers
in neural networks"; for convolutions Jordan's airbench94_muon).

The step of a filter bank, seen as a matrix of one row a filter, has all its singular values near
one: no direction is learned faster because its gradient is larger.  The bank keeps the length that
it began with, which a norm behind it makes meaningless anyway, and so its rate is relative: 0.24
turns it by about a quarter of itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration: its slope at zero is as steep as can be (Jordan et al. 2024)."""
ITERATIONS = 3
_TINY = 1e-7


class Muon(torch.optim.Optimizer):
    """Groups with ``filters`` true are stepped by Muon, all others by SGD with Nesterov momentum.

    Each group has ``lr``, ``momentum``, ``weight_decay`` (of SGD alone) and ``blocks``, the number
    of groups of a convolution: the filters of each are a matrix of their own.
    """

    def __init__(self, groups: Iterable[dict[str, Any]]) -> None:
        defaults = {"lr": 0.0, "momentum": 0.0, "weight_decay": 0.0, "filters": False, "blocks": 1}
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(  # pyright: ignore[reportIncompatibleMethodOverride] # torch's overloads, in one
        self, closure: Callable[[], float] | None = None
    ) -> None:
        """Take one step.  ValueError for a closure, which Muon has no use for."""
        if closure is not None:
            raise ValueError("Muon takes no closure")
        for group in self.param_groups:
            for parameter in cast("list[Tensor]", group["params"]):
                if parameter.grad is not None:
                    self._step(parameter, parameter.grad, group)

    def _step(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        lr, momentum = group["lr"], group["momentum"]
        state = self.state[parameter]
        if group["weight_decay"] and not group["filters"]:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
            if group["filters"]:
                state["length"] = parameter.square().sum().sqrt()
        buffer = state["momentum_buffer"].mul_(momentum).add_(gradient)
        gradient = gradient.add(buffer, alpha=momentum)
        if not group["filters"]:
            parameter.add_(gradient, alpha=-lr)
            return
        length = cast("float", state["length"])
        parameter.mul_(length / (parameter.square().sum().sqrt() + _TINY))
        rows = (group["blocks"], len(parameter) // group["blocks"], -1)
        update = orthogonal(gradient.reshape(rows)).reshape(parameter.shape)
        # A step of rate 1 would be as long as a bank of filters of length 1 each.
        parameter.sub_(update * (lr * length / math.sqrt(len(parameter))))


def orthogonal(matrices: Tensor) -> Tensor:
    """(B, R, C) → the same: each matrix with its singular values brought near 1 (0.7 to 1.2 for
    those that are not tiny), its singular vectors kept.  float32 in and out.

    Jordan et al. 2024: X ← aX + (bA + cA²)X with A = XXᵀ, three times, in bfloat16.
    """
    a, b, c = COEFFICIENTS
    lengths = matrices.float().square().sum(dim=(-2, -1), keepdim=True).sqrt()
    x = matrices.bfloat16() / (lengths + _TINY).bfloat16()
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = x.mT if tall else x
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return (x.mT if tall else x).to(matrices.dtype)
