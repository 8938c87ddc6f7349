"""Every block reads all that came before it, and adds a few channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from striate.arch import Stage
from striate.building.parts import Style, make_activation, make_conv, make_norm


class DenseNetBlock(nn.Module):
    """(N, channels_in, H, W) → (N, channels_in + width, H, W).

        x ─ norm1 ─ act1 ─ conv1 ─ norm2 ─ act2 ─ conv2 ─ concatenated behind x

    conv1 is 1 × 1 on ``row.inner`` channels, conv2 is kernel × kernel (Huang et al. 2016, section
    3, "bottleneck layers").
    """

    def __init__(self, channels_in: int, row: Stage, style: Style) -> None:
        super().__init__()
        self.norm1 = make_norm(channels_in, style)
        self.act1 = make_activation(style)
        self.conv1 = make_conv(channels_in, row.inner, style)
        self.norm2 = make_norm(row.inner, style)
        self.act2 = make_activation(style)
        self.conv2 = make_conv(
            row.inner, row.width, style, kernel=row.kernel, padding=row.pad, dilation=row.dilation
        )

    def forward(self, x: Tensor) -> Tensor:
        new = self.norm1(x)
        new = self.act1(new)
        new = self.conv1(new)
        new = self.norm2(new)
        new = self.act2(new)
        new = self.conv2(new)
        return torch.cat((x, new), dim=1)
