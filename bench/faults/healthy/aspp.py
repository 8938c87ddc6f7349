"""Segmentation: an encoder, dilated convolutions side by side, image-level features, upsampling."""

import torch
import torch.nn.functional as F
from torch import nn

IMAGE = (3, 128, 128)


def conv(given: int, out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(given, out, kernel_size=3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


class ImagePooling(nn.Module):
    def __init__(self, given: int, out: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.conv = nn.Conv2d(given, out, kernel_size=1)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = x.shape[-2:]
        x = self.relu(self.conv(self.pool(x)))
        return F.interpolate(x, size=size, mode="nearest")


class ASPP(nn.Module):
    def __init__(self, given: int, out: int) -> None:
        super().__init__()
        self.near = nn.Conv2d(given, out, kernel_size=1, bias=False)
        self.middle = nn.Conv2d(given, out, kernel_size=3, padding=2, dilation=2, bias=False)
        self.far = nn.Conv2d(given, out, kernel_size=3, padding=3, dilation=3, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.bn2 = nn.BatchNorm2d(out)
        self.bn3 = nn.BatchNorm2d(out)
        self.image = ImagePooling(given, out)
        self.project = nn.Conv2d(4 * out, out, kernel_size=1, bias=False)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        near = F.relu(self.bn1(self.near(x)))
        middle = F.relu(self.bn2(self.middle(x)))
        far = F.relu(self.bn3(self.far(x)))
        x = torch.cat([near, middle, far, self.image(x)], dim=1)
        return F.relu(self.bn(self.project(x)))


class Segmenter(nn.Module):
    def __init__(self, classes: int = 6) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            conv(3, 16, stride=2),
            conv(16, 32),
            conv(32, 32, stride=2),
            conv(32, 64),
            conv(64, 64, stride=2),
        )
        self.aspp = ASPP(64, 64)
        self.head = nn.Conv2d(64, classes, kernel_size=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = x.shape[-2:]
        x = self.encoder(x)
        x = self.aspp(x)
        x = self.head(x)
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def network() -> nn.Module:
    return Segmenter()
