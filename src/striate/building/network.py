"""The whole network, and how it is built."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from striate.arch import Arch, map_sizes
from striate.building.blocks.stem import StemBlock
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
        sizes = map_sizes(arch)
        channels = arch.image[0]
        self.arch = arch
        self.stem: StemBlock | None = None
        if arch.stem is not None:
            self.stem = StemBlock(channels, arch.stem, style)
            channels = arch.stem.width
        self.stages = nn.ModuleList()
        arriving = sizes[0]
        for row, leaving in zip(arch.stages, sizes[1:], strict=True):
            self.stages.append(StageBlocks(channels, arriving, row, style))
            channels, arriving = row.width, leaving
        self.head = HeadBlock(channels, arriving, arch.head, arch.classes, style)

    def forward(self, x: Tensor) -> Tensor:
        if self.stem is not None:
            x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.head(x)

    def stage_maps(self, x: Tensor) -> dict[str, Tensor]:
        """What leaves the stem and each stage, by module path (``stem``, ``stages.0`` …)."""
        maps: dict[str, Tensor] = {}
        if self.stem is not None:
            x = maps["stem"] = self.stem(x)
        for index, stage in enumerate(self.stages):
            x = maps[f"stages.{index}"] = stage(x)
        return maps


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
        initialise(network, seed=seed, zero_init=arch.zero_init)
    return network
