"""An exponential moving average of the weights, and of the buffers that go with them.

Floating-point buffers (batch norm's running mean and variance) are averaged with the same decay:
they describe the activations that the averaged weights give, up to the change within the window.
Integer buffers (batch counts) are copied.  The decay of step t is min(decay, (1 + t)/(10 + t)),
as in TensorFlow's ExponentialMovingAverage, so that the random start is forgotten quickly.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from striate.runs import state_of


def average_of(module: nn.Module) -> nn.Module:
    """A copy of ``module`` to keep the average in, in evaluation mode, without gradients."""
    return copy.deepcopy(module).eval().requires_grad_(False)


def update_average(average: nn.Module, module: nn.Module, decay: float, step: int) -> None:
    """Move ``average`` towards ``module`` after step ``step`` (1, 2, …), in place."""
    keep = min(decay, (1 + step) / (10 + step))
    own = state_of(average)
    with torch.no_grad():
        for name, value in state_of(module).items():
            if value.is_floating_point():
                own[name].lerp_(value, 1 - keep)
            else:
                own[name].copy_(value)
