"""VGG with norms for 64-pixel images, made from a list in a loop."""

import torch
from torch import nn

IMAGE = (3, 64, 64)
PLAN = [32, 32, "M", 64, 64, "M", 128, 128, "M", 128, 128]


def make_layers(plan: list) -> nn.Sequential:
    layers: list[nn.Module] = []
    width = 3
    for step in plan:
        if step == "M":
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        else:
            layers.append(nn.Conv2d(width, step, kernel_size=3, padding=1, bias=False))
            layers.append(nn.BatchNorm2d(step))
            layers.append(nn.ReLU(inplace=True))
            width = step
    return nn.Sequential(*layers)


class VGG(nn.Module):
    def __init__(self, classes: int = 20) -> None:
        super().__init__()
        self.features = make_layers(PLAN)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(128, 128),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(128, classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x)
        x = self.pool(x)
        x = self.classifier(x)
        return x


def network() -> nn.Module:
    return VGG()
