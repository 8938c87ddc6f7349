"""Dense blocks: every layer reads all maps before it."""

import torch
import torch.nn.functional as F
from torch import nn

IMAGE = (3, 32, 32)


class DenseLayer(nn.Module):
    def __init__(self, given: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(given)
        self.conv1 = nn.Conv2d(given, 4 * growth, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, kernel_size=3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.conv1(F.relu(self.norm1(x)))
        out = self.conv2(F.relu(self.norm2(out)))
        return torch.cat([x, out], dim=1)


class Transition(nn.Module):
    def __init__(self, given: int, out: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(given)
        self.conv = nn.Conv2d(given, out, kernel_size=1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(F.relu(self.norm(x)))
        return self.pool(x)


class DenseNet(nn.Module):
    def __init__(self, growth: int = 16, depth: int = 3, classes: int = 10) -> None:
        super().__init__()
        width = 2 * growth
        self.stem = nn.Conv2d(3, width, kernel_size=3, padding=1, bias=False)
        parts: list[nn.Module] = []
        for number in range(3):
            for _ in range(depth):
                parts.append(DenseLayer(width, growth))
                width += growth
            if number < 2:
                parts.append(Transition(width, width // 2))
                width = width // 2
        self.features = nn.Sequential(*parts)
        self.norm = nn.BatchNorm2d(width)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = self.features(x)
        x = F.relu(self.norm(x))
        x = self.pool(x)
        x = torch.flatten(x, 1)
        return self.classifier(x)


def network() -> nn.Module:
    return DenseNet()
