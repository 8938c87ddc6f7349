"""ConvNeXt's blocks: depthwise 7×7, layer norm over channels, two dense layers, layer scale."""

import torch
import torch.nn.functional as F
from torch import nn

IMAGE = (3, 128, 128)


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, kernel_size=7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.act = nn.GELU()
        self.down = nn.Linear(4 * width, width)
        self.scale = nn.Parameter(1e-6 * torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skip = x
        x = self.depthwise(x)
        x = x.permute(0, 2, 3, 1)
        x = self.norm(x)
        x = self.act(self.up(x))
        x = self.scale * self.down(x)
        x = x.permute(0, 3, 1, 2)
        return skip + x


class ConvNeXt(nn.Module):
    def __init__(self, widths: tuple[int, ...] = (32, 64, 128), classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], kernel_size=4, stride=4),
            LayerNorm2d(widths[0]),
        )
        self.stages = nn.ModuleList()
        for number, width in enumerate(widths):
            parts: list[nn.Module] = []
            if number > 0:
                parts.append(LayerNorm2d(widths[number - 1]))
                parts.append(nn.Conv2d(widths[number - 1], width, kernel_size=2, stride=2))
            parts.append(Block(width))
            parts.append(Block(width))
            self.stages.append(nn.Sequential(*parts))
        self.norm = nn.LayerNorm(widths[-1])
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        x = x.mean([2, 3])
        x = self.norm(x)
        return self.head(x)


def network() -> nn.Module:
    return ConvNeXt()
