"""Networks that have learned nothing, as controls.

A picture that a network without learning draws as well shows nothing of what was learned (Adebayo
et al. 2018, "Sanity checks for saliency maps", section 3).
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from striate import keyed
from striate.seeing.passing import norms_of


def redrawn(module: nn.Module, number: int) -> nn.Module:
    """A copy whose weights of two or more dimensions are each shuffled, by (number, name).

    Their distribution stays, layer by layer, and what training arranged is gone; so it serves for
    any module, however it was made.  Vectors (biases, scales of norms) stay: they have no
    arrangement that a shuffle of the weights beside them would leave meaningful.
    """
    other = deepcopy(module)
    for name, parameter in other.named_parameters():
        if parameter.dim() < 2:
            continue
        count = parameter.numel()
        keys = keyed.bits(number, f"seeing.redrawn {name}", np.arange(count, dtype=np.int64))
        order = torch.as_tensor(keys.argsort(kind="stable")).to(parameter.device)
        flat = parameter.detach().flatten()[order]
        parameter.data = flat.reshape(parameter.shape).clone()
    return other


def settled_norms(module: nn.Module, inputs: Tensor) -> nn.Module:
    """``module`` (changed in place, in evaluation mode): batch norms hold ``inputs``' statistics.

    Each norm's are those of what reaches it when the norms before it normalise by the batch, as in
    training.
    """
    module.eval()
    norms = [norm for norm in norms_of(module) if norm.track_running_stats]
    kept = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum, norm.training = 1.0, True
        if norms:
            with torch.no_grad():
                module(inputs)
    finally:
        for norm, momentum in zip(norms, kept, strict=True):
            norm.momentum, norm.training = momentum, False
    return module
