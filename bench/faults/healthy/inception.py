"""Branches of several kernel sizes side by side, concatenated."""

import torch
import torch.nn.functional as F
from torch import nn

IMAGE = (3, 96, 96)


class ConvBNReLU(nn.Module):
    def __init__(self, given: int, out: int, **options) -> None:
        super().__init__()
        self.conv = nn.Conv2d(given, out, bias=False, **options)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    def __init__(self, given: int, out: int) -> None:
        super().__init__()
        self.one = ConvBNReLU(given, out, kernel_size=1)
        self.three_reduce = ConvBNReLU(given, out // 2, kernel_size=1)
        self.three = ConvBNReLU(out // 2, out, kernel_size=3, padding=1)
        self.five_reduce = ConvBNReLU(given, out // 4, kernel_size=1)
        self.five = ConvBNReLU(out // 4, out // 2, kernel_size=5, padding=2)
        self.pool = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)
        self.pooled = ConvBNReLU(given, out // 2, kernel_size=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        one = self.one(x)
        three = self.three(self.three_reduce(x))
        five = self.five(self.five_reduce(x))
        pooled = self.pooled(self.pool(x))
        return torch.cat([one, three, five, pooled], dim=1)


class InceptionNet(nn.Module):
    def __init__(self, classes: int = 20) -> None:
        super().__init__()
        self.stem = ConvBNReLU(3, 32, kernel_size=3, stride=2, padding=1)
        self.conv = ConvBNReLU(32, 64, kernel_size=3, padding=1)
        self.pool1 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.mix1 = Inception(64, 32)
        self.pool2 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.mix2 = Inception(96, 64)
        self.mix3 = Inception(192, 64)
        self.gap = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(0.3)
        self.fc = nn.Linear(192, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(self.stem(x))
        x = self.mix1(self.pool1(x))
        x = self.mix2(self.pool2(x))
        x = self.mix3(x)
        x = torch.flatten(self.gap(x), 1)
        x = self.dropout(x)
        return self.fc(x)


def network() -> nn.Module:
    return InceptionNet()
