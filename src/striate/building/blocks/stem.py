"""The first convolution and the pool behind it."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from striate.arch import Stem
from striate.building.parts import Style, make_activation, make_conv, make_norm, make_pool


class StemBlock(nn.Module):
    """(N, channels_in, H, W) → (N, width, H', W'); He et al. 2015, table 1, conv1 and its pool."""

    def __init__(self, channels_in: int, row: Stem, style: Style) -> None:
        super().__init__()
        own = style if row.bias is None else replace(style, bias=row.bias)
        self.conv = make_conv(
            channels_in, row.width, own, kernel=row.kernel, stride=row.stride, padding=row.pad
        )
        self.norm = make_norm(row.width, style) if row.norm else nn.Identity()
        self.act = make_activation(style) if row.activation else nn.Identity()
        self.pool = make_pool(row.pool)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = self.norm(x)
        x = self.act(x)
        return self.pool(x)
