"""A spatial convolution between two 1 × 1 ones, and a skip around them."""

from __future__ import annotations

from torch import Tensor, nn

from striate.arch import Stage
from striate.building.drop_path import DropPath
from striate.building.parts import Style, make_activation, make_conv, make_norm


class BottleneckBlock(nn.Module):
    """(N, channels_in, H, W) → (N, width, H / stride, W / stride), sizes rounded up.

        x ─ conv1 ─ norm1 ─ act1 ─ conv2 ─ norm2 ─ act2 ─ conv3 ─ norm3 ─ gate ─ + ─ act3
        └─────────────────────────────── shortcut ───────────────────────────────┘

    conv1 and conv3 are 1 × 1, conv2 is kernel × kernel on ``row.inner`` channels.
    He et al. 2015, figure 5, right, with the stride on conv2 (v1.5; Goyal et al. 2017, section
    5.1).  With groups it is ResNeXt's (Xie et al. 2016, figure 3c).  Without a
    ``shortcut`` it is a plain block: no sum.
    """

    def __init__(
        self,
        channels_in: int,
        row: Stage,
        style: Style,
        *,
        stride: int,
        gate: nn.Module,
        shortcut: nn.Module | None,
    ) -> None:
        super().__init__()
        self.conv1 = make_conv(channels_in, row.inner, style)
        self.norm1 = make_norm(row.inner, style)
        self.act1 = make_activation(style)
        self.conv2 = make_conv(
            row.inner,
            row.inner,
            style,
            kernel=row.kernel,
            stride=stride,
            padding=row.pad,
            dilation=row.dilation,
            groups=row.groups,
        )
        self.norm2 = make_norm(row.inner, style)
        self.act2 = make_activation(style)
        self.conv3 = make_conv(row.inner, row.width, style)
        self.norm3 = make_norm(row.width, style)
        self.gate = gate
        self.shortcut = shortcut
        if shortcut is not None:
            self.drop = DropPath()
        self.act3 = make_activation(style)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(x)
        out = self.norm1(out)
        out = self.act1(out)
        out = self.conv2(out)
        out = self.norm2(out)
        out = self.act2(out)
        out = self.conv3(out)
        out = self.norm3(out)
        out = self.gate(out)
        if self.shortcut is not None:
            out = self.drop(out) + self.shortcut(x)
        return self.act3(out)
