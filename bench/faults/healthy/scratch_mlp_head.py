"""Strided convolutions, batch norms in the head too, and an activation chosen by an argument."""

import torch
from torch import nn

IMAGE = (3, 64, 64)


class Classifier(nn.Module):
    def __init__(self, width: int = 24, classes: int = 8, act: type[nn.Module] = nn.SiLU) -> None:
        super().__init__()
        self.block1 = self.block(3, width, act)
        self.block2 = self.block(width, 2 * width, act)
        self.block3 = self.block(2 * width, 4 * width, act)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Linear(4 * width, 96, bias=False)
        self.norm = nn.BatchNorm1d(96)
        self.act = act()
        self.dropout = nn.Dropout(0.1)
        self.fc2 = nn.Linear(96, classes)

    @staticmethod
    def block(given: int, out: int, act: type[nn.Module]) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(given, out, kernel_size=3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(out),
            act(),
            nn.Conv2d(out, out, kernel_size=3, stride=1, padding=1, bias=False),
            nn.BatchNorm2d(out),
            act(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.block1(x)
        x = self.block2(x)
        x = self.block3(x)
        x = self.pool(x).flatten(1)
        x = self.fc1(x)
        x = self.norm(x)
        x = self.act(x)
        x = self.dropout(x)
        return self.fc2(x)


def network() -> nn.Module:
    return Classifier()
