"""Wide inside and narrow between: expand, one filter per channel, project; a skip around."""

from __future__ import annotations

from torch import Tensor, nn

from striate.arch import Stage
from striate.building.drop_path import DropPath
from striate.building.parts import Style, make_activation, make_conv, make_norm


class InvertedBlock(nn.Module):
    """(N, channels_in, H, W) → (N, width, H / stride, W / stride), sizes rounded up.

        x ─ conv1 ─ norm1 ─ act1 ─ conv2 ─ norm2 ─ act2 ─ gate ─ conv3 ─ norm3 ─ +
        └─────────────────────────────────────────────────────────────────────────┘

    conv1 (1 × 1) expands, conv2 (kernel × kernel) has one filter per channel, conv3 (1 × 1)
    projects, with no activation behind it (Sandler et al. 2018, table 1 and figure 3d).  At an
    expansion of 1 there is no conv1.  The gate is EfficientNet's (Tan and Le 2019, section 4).
    Without ``skip`` nothing is added.
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
        self.conv1: nn.Conv2d | None = None
        if inside != channels_in:
            self.conv1 = make_conv(channels_in, inside, style)
            self.norm1 = make_norm(inside, style)
            self.act1 = make_activation(style)
        self.conv2 = make_conv(
            inside,
            inside,
            style,
            kernel=row.kernel,
            stride=stride,
            padding=row.pad,
            dilation=row.dilation,
            groups=inside,
        )
        self.norm2 = make_norm(inside, style)
        self.act2 = make_activation(style)
        self.gate = gate
        self.conv3 = make_conv(inside, row.width, style)
        self.norm3 = make_norm(row.width, style)
        self.skip = skip
        if skip:
            self.drop = DropPath()

    def forward(self, x: Tensor) -> Tensor:
        out = x
        if self.conv1 is not None:
            out = self.conv1(out)
            out = self.norm1(out)
            out = self.act1(out)
        out = self.conv2(out)
        out = self.norm2(out)
        out = self.act2(out)
        out = self.gate(out)
        out = self.conv3(out)
        out = self.norm3(out)
        return x + self.drop(out) if self.skip else out
