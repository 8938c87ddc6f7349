"""A residual network whose blocks norm and activate first."""

import torch
import torch.nn.functional as F
from torch import nn

IMAGE = (3, 32, 32)


class PreActBlock(nn.Module):
    def __init__(self, given: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(given)
        self.conv1 = nn.Conv2d(given, out, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, kernel_size=3, stride=1, padding=1, bias=False)
        self.project = None
        if given != out:
            self.project = nn.Conv2d(given, out, kernel_size=1, stride=stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = F.relu(self.bn1(x))
        shortcut = x if self.project is None else self.project(out)
        out = self.conv1(out)
        out = F.relu(self.bn2(out))
        out = self.conv2(out)
        return out + shortcut


class PreActNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, kernel_size=3, stride=1, padding=1, bias=False)
        self.block1 = PreActBlock(32, 32)
        self.block2 = PreActBlock(32, 64, stride=2)
        self.block3 = PreActBlock(64, 64)
        self.block4 = PreActBlock(64, 128, stride=2)
        self.norm = nn.BatchNorm2d(128)
        self.fc = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = self.block1(x)
        x = self.block2(x)
        x = self.block3(x)
        x = self.block4(x)
        x = F.relu(self.norm(x))
        x = x.mean(dim=(2, 3))
        return self.fc(x)


def network() -> nn.Module:
    return PreActNet()
