"""Depthwise separable convolutions, a plain chain, from a list of widths and strides."""

import torch
from torch import nn

IMAGE = (3, 96, 96)


class Separable(nn.Module):
    def __init__(self, given: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            given, given, kernel_size=3, stride=stride, padding=1, groups=given, bias=False
        )
        self.bn1 = nn.BatchNorm2d(given)
        self.act1 = nn.ReLU(inplace=True)
        self.pointwise = nn.Conv2d(given, out, kernel_size=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.act2 = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act1(self.bn1(self.depthwise(x)))
        x = self.act2(self.bn2(self.pointwise(x)))
        return x


class SeparableNet(nn.Module):
    def __init__(self, classes: int = 30) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 32, kernel_size=3, stride=2, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(32)
        self.act = nn.ReLU(inplace=True)
        self.body = nn.Sequential(
            Separable(32, 64),
            Separable(64, 128, stride=2),
            Separable(128, 128),
            Separable(128, 256, stride=2),
            Separable(256, 256),
            Separable(256, 256),
            Separable(256, 256),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(256, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.bn(self.conv(x)))
        x = self.body(x)
        x = self.pool(x)
        x = x.flatten(1)
        return self.fc(x)


def network() -> nn.Module:
    return SeparableNet()
