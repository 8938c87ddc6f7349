"""Residual blocks with grouped convolutions and group norms."""

import torch
import torch.nn.functional as F
from torch import nn

IMAGE = (3, 64, 64)


class Block(nn.Module):
    def __init__(self, given: int, out: int, stride: int = 1, groups: int = 8) -> None:
        super().__init__()
        inner = out // 2
        self.conv1 = nn.Conv2d(given, inner, kernel_size=1, bias=False)
        self.norm1 = nn.GroupNorm(8, inner)
        self.conv2 = nn.Conv2d(
            inner, inner, kernel_size=3, stride=stride, padding=1, groups=groups, bias=False
        )
        self.norm2 = nn.GroupNorm(8, inner)
        self.conv3 = nn.Conv2d(inner, out, kernel_size=1, bias=False)
        self.norm3 = nn.GroupNorm(8, out)
        self.down = nn.AvgPool2d(kernel_size=2, stride=2) if stride == 2 else nn.Identity()
        self.project = (
            nn.Conv2d(given, out, kernel_size=1, bias=False) if given != out else nn.Identity()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = F.silu(self.norm1(self.conv1(x)))
        out = F.silu(self.norm2(self.conv2(out)))
        out = self.norm3(self.conv3(out))
        return F.silu(out + self.project(self.down(x)))


class ResNeXt(nn.Module):
    def __init__(self, classes: int = 12) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, kernel_size=3, padding=1, bias=False)
        self.norm = nn.GroupNorm(8, 32)
        self.stage1 = nn.Sequential(Block(32, 64), Block(64, 64))
        self.stage2 = nn.Sequential(Block(64, 128, stride=2), Block(128, 128))
        self.stage3 = nn.Sequential(Block(128, 256, stride=2), Block(256, 256))
        self.fc = nn.Linear(256, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.silu(self.norm(self.stem(x)))
        x = self.stage1(x)
        x = self.stage2(x)
        x = self.stage3(x)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.fc(x)


def network() -> nn.Module:
    return ResNeXt()
