"""One large filter per channel, then an inverted bottleneck at every position; a skip around."""

from __future__ import annotations

from torch import Tensor, nn

from striate.arch import Stage
from striate.building.drop_path import DropPath
from striate.building.parts import LayerScale, Style, make_activation, make_conv, make_norm


class ConvNextBlock(nn.Module):
    """(N, width, H, W) → the same.

        x ─ conv1 ─ norm ─ conv2 ─ act ─ conv3 ─ scale ─ +
        └────────────────────────────────────────────────┘

    conv1 (kernel × kernel) has one filter per channel, conv2 and conv3 are 1 × 1 (Liu et al. 2022,
    figure 4); ``scale`` is learnt per channel (Touvron et al. 2021, equation 4).
    """

    def __init__(self, row: Stage, style: Style, *, skip: bool) -> None:
        super().__init__()
        self.conv1 = make_conv(
            row.width,
            row.width,
            style,
            kernel=row.kernel,
            padding=row.pad,
            dilation=row.dilation,
            groups=row.width,
        )
        self.norm = make_norm(row.width, style)
        self.conv2 = make_conv(row.width, row.inner, style)
        self.act = make_activation(style)
        self.conv3 = make_conv(row.inner, row.width, style)
        self.scale = LayerScale(row.width, row.layer_scale) if row.layer_scale else nn.Identity()
        self.skip = skip
        if skip:
            self.drop = DropPath()

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(x)
        out = self.norm(out)
        out = self.conv2(out)
        out = self.act(out)
        out = self.conv3(out)
        out = self.scale(out)
        return x + self.drop(out) if self.skip else out
