"""Residual blocks whose norms and activations stand before their convolutions."""

from __future__ import annotations

from torch import Tensor, nn

from striate.arch import Stage
from striate.building.drop_path import DropPath
from striate.building.parts import Style, make_activation, make_conv, make_norm


class PreactBlock(nn.Module):
    """(N, channels_in, H, W) → (N, width, H / stride, W / stride), sizes rounded up.

        x ─ norm1 ─ act1 ┬ conv1 ─ norm2 ─ act2 ─ conv2 [─ norm3 ─ act3 ─ conv3] ─ gate ─ +
        └────────────────┴─────────────────────── shortcut ───────────────────────────────┘

    Two spatial convolutions, or one between two of 1 × 1 for a ``bottleneck`` (He et al. 2016,
    figure 4e).  An identity shortcut takes x itself; one that changes its shape takes what norm1
    and act1 made of it.  Without a ``shortcut`` it is a plain block: no sum.
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
        self.norm1 = make_norm(channels_in, style)
        self.act1 = make_activation(style)
        spatial = {"kernel": row.kernel, "padding": row.pad, "dilation": row.dilation}
        self.conv3: nn.Conv2d | None = None
        if row.block == "bottleneck":
            self.conv1 = make_conv(channels_in, row.inner, style)
            self.conv2 = make_conv(
                row.inner, row.inner, style, stride=stride, groups=row.groups, **spatial
            )
            self.norm3 = make_norm(row.inner, style)
            self.act3 = make_activation(style)
            self.conv3 = make_conv(row.inner, row.width, style)
        else:
            self.conv1 = make_conv(
                channels_in, row.inner, style, stride=stride, groups=row.groups, **spatial
            )
            self.conv2 = make_conv(row.inner, row.width, style, groups=row.groups, **spatial)
        self.norm2 = make_norm(row.inner, style)
        self.act2 = make_activation(style)
        self.gate = gate
        self.shortcut = shortcut
        if shortcut is not None:
            self.drop = DropPath()

    def forward(self, x: Tensor) -> Tensor:
        begun = self.norm1(x)
        begun = self.act1(begun)
        out = self.conv1(begun)
        out = self.norm2(out)
        out = self.act2(out)
        out = self.conv2(out)
        if self.conv3 is not None:
            out = self.norm3(out)
            out = self.act3(out)
            out = self.conv3(out)
        out = self.gate(out)
        if self.shortcut is None:
            return out
        out = self.drop(out)
        return out + (x if isinstance(self.shortcut, nn.Identity) else self.shortcut(begun))
