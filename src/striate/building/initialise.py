"""Fresh weights: each a pure function of (seed, parameter name), drawn in place.

| what                    | weight                  | bias | source                         |
|-------------------------|-------------------------|------|--------------------------------|
| convolution             | normal, gain / √fan_out | 0    | He et al. 2015b, equation 14   |
| fully connected, hidden | normal, gain / √fan_in  | 0    | He et al. 2015b, equation 10   |
| fully connected, last   | normal, 0.01            | 0    | Goyal et al. 2017, section 5.1 |
| norm                    | 1                       | 0    | Ioffe and Szegedy 2015         |
| last norm of a branch   | 0, if the Arch says so  | 0    | Goyal et al. 2017, section 5.1 |
| convolution of a        | as above, and the first | 0    | Jordan 2024, section 3.3       |
| stage's ``conv`` block  | filters the identity,   |      |                                |
|                         | if the Arch says so     |      |                                |
| in a transformer or     | normal, 0.02, cut at    | 0    | Touvron et al. 2020, table 9;  |
| ConvNeXt block, tokens  | two deviations          |      | Liu et al. 2022, table 5       |
| layer scale             | as the Arch says        |      | Touvron et al. 2021, table 2   |

He et al. 2015b is "Delving deep into rectifiers".  The gain is √2, for tanh 5/3 (torch's
``calculate_gain``).  fan_out is kernel² · channels out / groups.  Hidden layers go by fan_in, since
a flattened image has far more inputs than there are units.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from striate import keyed
from striate.building.blocks.basic import BasicBlock
from striate.building.blocks.bottleneck import BottleneckBlock
from striate.building.blocks.conv import ConvBlock
from striate.building.blocks.convnext import ConvNextBlock
from striate.building.blocks.inverted import InvertedBlock
from striate.building.blocks.tokens import Tokens
from striate.building.blocks.transformer import TransformerBlock
from striate.building.parts import LayerScale

_NARROW = 0.02  # deviation of the weights of blocks that begin with a norm over channels


def initialise(
    network: nn.Module, *, seed: int, zero_init: bool = False, dirac_init: bool = False
) -> None:
    """Set every parameter and buffer of a network made by ``striate.building``, in place.

    ``seed`` is any integer.  TypeError for a module whose parameters this file does not know: none
    keeps what was in memory by accident.
    """
    modules = list(cast("Iterable[tuple[str, nn.Module]]", network.named_modules()))
    gain = 5 / 3 if any(isinstance(module, nn.Tanh) for _, module in modules) else math.sqrt(2)
    narrow = {
        f"{path}.{inner}" if inner else path
        for path, module in modules
        if isinstance(module, TransformerBlock | ConvNextBlock)
        for inner, _ in cast("Iterable[tuple[str, nn.Module]]", module.named_modules())
    }
    for path, module in modules:
        weight = f"{path}.weight"
        if isinstance(module, nn.Conv2d | nn.Linear) and path in narrow:
            _normal(module.weight, _NARROW, seed, weight, cut=2.0)
            _fill(module.bias, 0.0)
        elif isinstance(module, nn.Conv2d):
            fan_out = module.weight[0, 0].numel() * module.out_channels // module.groups
            _normal(module.weight, gain / math.sqrt(fan_out), seed, weight)
            _fill(module.bias, 0.0)
        elif isinstance(module, nn.Linear):
            last = path == "head.linear"
            std = 0.01 if last else gain / math.sqrt(module.in_features)
            _normal(module.weight, std, seed, weight)
            _fill(module.bias, 0.0)
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm | nn.LayerNorm):
            _fill(module.weight, 1.0)
            _fill(module.bias, 0.0)
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
        elif isinstance(module, LayerScale):
            _fill(module.scale, module.start)
        elif isinstance(module, Tokens):
            _normal(module.positions, _NARROW, seed, f"{path}.positions", cut=2.0)
            if module.class_token is not None:
                _normal(module.class_token, _NARROW, seed, f"{path}.class_token", cut=2.0)
        elif _own_tensors(module):
            raise TypeError(f"{path}: no initialisation is known for a {type(module).__name__}")
    if zero_init:
        for _, module in modules:
            _fill(_last_scale(module), 0.0)
    if dirac_init:
        for path, module in modules:
            if isinstance(module, ConvBlock) and ".blocks." in path:
                _pass_on(module.conv)


def _pass_on(conv: nn.Conv2d) -> None:
    """Make of ``conv``'s first filters the identity on its input channels, in each group."""
    arriving, leaving = conv.weight.shape[1], conv.out_channels // conv.groups
    if leaving >= arriving:
        for group in range(conv.groups):
            nn.init.dirac_(conv.weight.data[group * leaving :][:arriving])


def _last_scale(module: nn.Module) -> Tensor | None:
    """The scale of a residual branch's last norm; None for what is no such branch."""
    norm: nn.Module | None = None
    if isinstance(module, BasicBlock) and module.shortcut is not None:
        norm = module.norm2
    elif (isinstance(module, BottleneckBlock) and module.shortcut is not None) or (
        isinstance(module, InvertedBlock) and module.skip
    ):
        norm = module.norm3
    return None if norm is None else cast("Tensor", norm.weight)


class Undrawn(TorchFunctionMode):
    """Modules made inside keep their memory as it comes: no time and no global draw is spent on
    torch's default weights.  Their every tensor must be set afterwards.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if func in (nn.init.kaiming_uniform_, nn.init.uniform_):
            return args[0] if args else named["tensor"]
        return func(*args, **named)


def _normal(tensor: Tensor, std: float, seed: int, name: str, *, cut: float | None = None) -> None:
    """Drawn on the CPU whatever the device, so that every device has the same weights.

    ``cut``: draws beyond so many deviations are drawn again.
    """
    generator = torch.Generator(device="cpu")
    generator.manual_seed(int(keyed.bits(seed, f"init:{name}")))
    with torch.no_grad():
        if cut is not None:
            drawn = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
            limit = cut * std
            nn.init.trunc_normal_(drawn, 0.0, std, -limit, limit, generator=generator)
            tensor.copy_(drawn)
            return
        if tensor.device.type == "cpu":
            tensor.normal_(0.0, std, generator=generator)
        else:
            drawn = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
            tensor.copy_(drawn.normal_(0.0, std, generator=generator))


def _fill(tensor: Tensor | None, value: float) -> None:
    if tensor is not None:
        with torch.no_grad():
            tensor.fill_(value)


def _own_tensors(module: nn.Module) -> bool:
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return bool(own)
