"""Inverted residuals with linear bottlenecks, from a table of settings."""

import torch
from torch import nn

IMAGE = (3, 128, 128)
SETTINGS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 2, 2), (6, 64, 2, 2)]


def conv_bn_act(given: int, out: int, kernel: int, stride: int, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            given, out, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(out),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    def __init__(self, given: int, out: int, stride: int, expand: int) -> None:
        super().__init__()
        hidden = given * expand
        self.use_skip = stride == 1 and given == out
        layers: list[nn.Module] = []
        if expand != 1:
            layers.append(conv_bn_act(given, hidden, 1, 1))
        layers.append(conv_bn_act(hidden, hidden, 3, stride, groups=hidden))
        layers.append(nn.Conv2d(hidden, out, kernel_size=1, bias=False))
        layers.append(nn.BatchNorm2d(out))
        self.conv = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.use_skip:
            return x + self.conv(x)
        return self.conv(x)


class MobileNet(nn.Module):
    def __init__(self, classes: int = 50) -> None:
        super().__init__()
        self.stem = conv_bn_act(3, 32, 3, 2)
        blocks = []
        width = 32
        for expand, out, repeat, stride in SETTINGS:
            for number in range(repeat):
                blocks.append(InvertedResidual(width, out, stride if number == 0 else 1, expand))
                width = out
        self.blocks = nn.Sequential(*blocks)
        self.last = conv_bn_act(64, 256, 1, 1)
        self.drop = nn.Dropout(0.2)
        self.classifier = nn.Linear(256, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = self.blocks(x)
        x = self.last(x)
        x = x.mean([2, 3])
        x = self.drop(x)
        return self.classifier(x)


def network() -> nn.Module:
    return MobileNet()
