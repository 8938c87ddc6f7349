"""One row of the table: its blocks, and the pool behind the last."""

from __future__ import annotations

from torch import Tensor, nn

from striate.arch import Stage
from striate.building.blocks.basic import BasicBlock
from striate.building.blocks.bottleneck import BottleneckBlock
from striate.building.blocks.conv import ConvBlock
from striate.building.blocks.dense import DenseBlock
from striate.building.blocks.shortcuts import Projection, ZeroPad
from striate.building.blocks.squeeze import SqueezeExcite
from striate.building.parts import Style, make_pool


class StageBlocks(nn.Module):
    """(N, channels_in, H, W) → (N, width, H', W'); (N, width) for a dense stage.

    ``map_size`` is the (H, W) that arrives; only a dense stage's weights depend on it.
    """

    def __init__(
        self, channels_in: int, map_size: tuple[int, int], row: Stage, style: Style
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential()
        features = channels_in * map_size[0] * map_size[1] if row.block == "dense" else channels_in
        for index in range(row.depth):
            stride = row.stride if index == 0 else 1
            self.blocks.append(_block(features, row, style, stride=stride))
            features = row.width
        self.pool = make_pool(row.pool)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(x)
        return self.pool(x)


def _block(channels_in: int, row: Stage, style: Style, *, stride: int) -> nn.Module:
    if row.block == "dense":
        return DenseBlock(channels_in, row.width, style, dropout=nn.Identity())
    gate = SqueezeExcite(row.width, row.squeeze, style) if row.squeeze else nn.Identity()
    if row.block == "conv":
        return ConvBlock(
            channels_in,
            row.width,
            style,
            kernel=row.kernel,
            stride=stride,
            padding=row.pad,
            dilation=row.dilation,
            groups=row.groups,
            gate=gate,
        )
    kind = BasicBlock if row.block == "basic" else BottleneckBlock
    shortcut = _shortcut(channels_in, row, style, stride=stride)
    return kind(channels_in, row, style, stride=stride, gate=gate, shortcut=shortcut)


def _shortcut(channels_in: int, row: Stage, style: Style, *, stride: int) -> nn.Module | None:
    """What the skip passes through: None for a plain block, Identity where shapes agree."""
    if not row.residual:
        return None
    if stride == 1 and channels_in == row.width:
        return nn.Identity()
    if row.shortcut == "pad":
        return ZeroPad(row.width - channels_in, stride=stride)
    return Projection(channels_in, row.width, style, stride=stride)
