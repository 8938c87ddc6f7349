"""Numeric settings: which arithmetic, and in which memory order.

``bf16`` is autocast: weights, gradients and optimiser state stay fp32, and convolutions and
matrix products run in bfloat16 (docs/decisions/0006-bf16-by-autocast.md).  ``channels-last`` keeps
shapes (N, C, H, W) and stores the channels of a pixel next to each other.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import nn

from striate.errors import RecipeError, choices

Setting = Literal["fp32", "fp32-channels-last", "bf16", "bf16-channels-last"]
SETTINGS: tuple[Setting, ...] = get_args(Setting)

Compile = Literal["off", "on", "graphs"]
"""How training steps are compiled: not, by ``torch.compile``, or by it and as CUDA graphs."""
COMPILES: tuple[Compile, ...] = get_args(Compile)


def known_setting(name: str) -> Setting:
    """``name`` as a ``Setting``; ``RecipeError`` names the choices where it is none."""
    for setting in SETTINGS:
        if setting == name:
            return setting
    raise RecipeError(f"setting = {name!r} is unknown: {choices(name, SETTINGS)}")


def known_compile(name: str) -> Compile:
    """``name`` as a ``Compile``; ``RecipeError`` names the choices where it is none."""
    for kind in COMPILES:
        if kind == name:
            return kind
    raise RecipeError(f"compile = {name!r} is unknown: {choices(name, COMPILES)}")


def memory_format(setting: Setting) -> torch.memory_format:
    """The order in which a 4-D tensor's numbers lie in memory."""
    return torch.channels_last if setting.endswith("channels-last") else torch.contiguous_format


def place(module: nn.Module, setting: Setting, device: torch.device | str = "cpu") -> nn.Module:
    """Move ``module`` (in place) to ``device`` and to the setting's memory format; returns it.

    Tensors of other than four dimensions, which have no channels-last order, are left as they are.
    """
    order = memory_format(setting)
    module.to(device)
    with torch.no_grad():
        for tensor in [*module.parameters(), *module.buffers()]:
            if tensor.dim() == 4:
                tensor.data = tensor.data.contiguous(memory_format=order)
    return module


def arithmetic(setting: Setting, device: torch.device | str = "cpu") -> torch.autocast:
    """The context in which a forward pass runs: bfloat16 autocast, or autocast switched off."""
    kind = torch.device(device).type
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=setting.startswith("bf16"))
