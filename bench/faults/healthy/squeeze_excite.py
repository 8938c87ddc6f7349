"""Residual blocks with squeeze-and-excitation gates."""

import torch
from torch import nn

IMAGE = (3, 64, 64)


class SqueezeExcite(nn.Module):
    def __init__(self, width: int, ratio: int = 8) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.down = nn.Conv2d(width, width // ratio, kernel_size=1)
        self.relu = nn.ReLU()
        self.up = nn.Conv2d(width // ratio, width, kernel_size=1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = self.relu(self.down(self.pool(x)))
        gate = self.sigmoid(self.up(gate))
        return x * gate


class SEBlock(nn.Module):
    def __init__(self, given: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(given, out, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out, out, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.gate = SqueezeExcite(out)
        self.skip = nn.Identity()
        if stride != 1 or given != out:
            self.skip = nn.Sequential(
                nn.AvgPool2d(kernel_size=2, stride=2, ceil_mode=True),
                nn.Conv2d(given, out, kernel_size=1, bias=False),
                nn.BatchNorm2d(out),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.conv1(x)
        out = self.bn1(out)
        out = self.relu(out)
        out = self.conv2(out)
        out = self.bn2(out)
        out = self.gate(out)
        out = out + self.skip(x)
        out = self.relu(out)
        return out


class SENet(nn.Module):
    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
        )
        self.stage1 = nn.Sequential(SEBlock(32, 32), SEBlock(32, 32))
        self.stage2 = nn.Sequential(SEBlock(32, 64, stride=2), SEBlock(64, 64))
        self.stage3 = nn.Sequential(SEBlock(64, 128, stride=2), SEBlock(128, 128))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(128, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = self.stage1(x)
        x = self.stage2(x)
        x = self.stage3(x)
        x = self.flatten(self.pool(x))
        return self.fc(x)


def network() -> nn.Module:
    return SENet()
