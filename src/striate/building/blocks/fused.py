"""The inverted block with its first two convolutions made one."""

from __future__ import annotations

from torch import Tensor, nn

from striate.arch import Stage
from striate.building.drop_path import DropPath
from striate.building.parts import Style, make_activation, make_conv, make_norm


class FusedBlock(nn.Module):
    """(N, channels_in, H, W) → (N, width, H / stride, W / stride), sizes rounded up.

        x ─ conv1 ─ norm1 ─ act1 ─ gate ─ conv2 ─ norm2 ─ +
        └──────────────────────────────────────────────────┘

    conv1 (kernel × kernel) expands, conv2 (1 × 1) projects, with no activation behind it (Tan and
    Le 2021, figure 2).  At an expansion of 1 conv1 is the whole branch, and ends with its
    activation.  Without ``skip`` nothing is added.
    """

    def __init__(
        self,
        channels_in: int,
        row: Stage,
        style: Style,
        *,
        stride: int,
        gate: nn.Module,
        skip: bool,
    ) -> None:
        super().__init__()
        inside = row.inside(channels_in)
        projects = inside != channels_in
        self.conv1 = make_conv(
            channels_in,
            inside if projects else row.width,
            style,
            kernel=row.kernel,
            stride=stride,
            padding=row.pad,
            dilation=row.dilation,
        )
        self.norm1 = make_norm(self.conv1.out_channels, style)
        self.act1 = make_activation(style)
        self.gate = gate
        self.conv2: nn.Conv2d | None = None
        if projects:
            self.conv2 = make_conv(inside, row.width, style)
            self.norm2 = make_norm(row.width, style)
        self.skip = skip
        if skip:
            self.drop = DropPath()

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(x)
        out = self.norm1(out)
        out = self.act1(out)
        out = self.gate(out)
        if self.conv2 is not None:
            out = self.conv2(out)
            out = self.norm2(out)
        return x + self.drop(out) if self.skip else out
