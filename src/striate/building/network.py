"""The whole network, and how it is built."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from striate.arch import Arch, channels, map_sizes
from striate.building.blocks.stem import StemBlock
from striate.building.blocks.tokens import Tokens
from striate.building.head import HeadBlock
from striate.building.initialise import Undrawn, initialise
from striate.building.parts import Style
from striate.building.stage import StageBlocks


class Network(nn.Module):
    """(N, C, H, W) → (N, classes), for the image size of its Arch.

    Where nothing is flattened before it is pooled, other sizes pass too.  ``stem`` is None where
    the Arch has none.  Made by ``build``; made directly, its weights are torch's defaults.
    """

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        style = Style.of(arch)
        sizes, widths = map_sizes(arch), channels(arch)
        self.arch = arch
        self.stem: StemBlock | None = None
        if arch.stem is not None:
            self.stem = StemBlock(arch.image[0], arch.stem, style)
        self.stages = nn.ModuleList()
        for row, size, width in zip(arch.stages, sizes, widths, strict=False):
            enter: Tokens | None = None
            if row.kind.on == "tokens" and self._tokens() is None:
                enter = Tokens(width, size, class_token=arch.head.pool == "token")
            self.stages.append(StageBlocks(width, size, row, style, enter=enter))
        attends = self._tokens() is not None
        self.head = HeadBlock(widths[-1], sizes[-1], arch.head, arch.classes, style, tokens=attends)

    def forward(self, x: Tensor) -> Tensor:
        if self.stem is not None:
            x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.head(x)

    def stage_maps(self, x: Tensor) -> dict[str, Tensor]:
        """What leaves the stem and each stage, by module path (``stem``, ``stages.0`` …).

        Tokens are laid out as the map they stand for, without the class token.
        """
        maps: dict[str, Tensor] = {}
        if self.stem is not None:
            x = maps["stem"] = self.stem(x)
        tokens = self._tokens()
        for index, stage in enumerate(self.stages):
            x = stage(x)
            maps[f"stages.{index}"] = tokens.back(x) if tokens and x.dim() == 3 else x
        return maps

    def _tokens(self) -> Tokens | None:
        """Where the map becomes tokens, if it ever does."""
        return next((m for m in self.stages.modules() if isinstance(m, Tokens)), None)


def build(arch: Arch, *, seed: int = 0, device: str | torch.device | None = None) -> Network:
    """A network with fresh weights, each a pure function of (seed, its name).

    The weights are the same on every device, and torch's global generator is left alone.  On the
    ``meta`` device there are shapes and no weights.  ``device`` is torch's default if not given.

    >>> from striate.arch import zoo
    >>> network = build(zoo("resnet20"), seed=1)
    >>> network(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    >>> next(name for name in network.state_dict() if "stages.1" in name)
    'stages.1.blocks.0.conv1.weight'
    """
    target = torch.get_default_device() if device is None else torch.device(device)
    with target, Undrawn():
        network = Network(arch)
    if target.type != "meta":
        initialise(network, seed=seed, zero_init=arch.zero_init, dirac_init=arch.dirac_init)
    return network
