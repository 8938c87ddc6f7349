"""One row of the table: its blocks, and what stands before the first and behind the last."""

from __future__ import annotations

from torch import Tensor, nn

from striate.arch import Stage
from striate.building.blocks.basic import BasicBlock
from striate.building.blocks.bottleneck import BottleneckBlock
from striate.building.blocks.conv import ConvBlock
from striate.building.blocks.convnext import ConvNextBlock
from striate.building.blocks.dense import DenseBlock
from striate.building.blocks.densenet import DenseNetBlock
from striate.building.blocks.fused import FusedBlock
from striate.building.blocks.inverted import InvertedBlock
from striate.building.blocks.preact import PreactBlock
from striate.building.blocks.shortcuts import Projection, ZeroPad
from striate.building.blocks.squeeze import SqueezeExcite
from striate.building.blocks.transformer import TransformerBlock
from striate.building.blocks.transition import Compression, Downsample
from striate.building.parts import Style, make_pool


class StageBlocks(nn.Module):
    """(N, channels_in, H, W) → (N, channels_out, H', W'); (N, width) for a dense stage.

    A transformer's stage gives (N, tokens, width); ``enter`` makes tokens of a map before it.
    ``map_size`` is the (H, W) that arrives; only a dense stage's weights depend on it.
    """

    def __init__(
        self,
        channels_in: int,
        map_size: tuple[int, int],
        row: Stage,
        style: Style,
        *,
        enter: nn.Module | None = None,
    ) -> None:
        super().__init__()
        features, leaving = channels_in, row.leaving(channels_in)
        if row.block == "dense":
            features = channels_in * map_size[0] * map_size[1]
        self.enter = nn.Identity() if enter is None else enter
        if row.block == "convnext" and (row.stride > 1 or channels_in != row.width):
            self.enter = Downsample(channels_in, row.width, style, stride=row.stride)
            features = row.width
        self.blocks = nn.Sequential()
        for index in range(row.depth):
            stride = row.stride if index == 0 else 1
            first = index == 0 and row.pool_first
            pool = make_pool(row.pool if first else None)
            self.blocks.append(_block(features, row, style, stride=stride, pool=pool))
            features = features + row.width if row.block == "densenet" else row.width
        self.compress = Compression(features, leaving, style) if row.transition else nn.Identity()
        self.pool = make_pool(None if row.pool_first else row.pool)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        x = self.blocks(x)
        x = self.compress(x)
        return self.pool(x)


def _block(
    channels_in: int, row: Stage, style: Style, *, stride: int, pool: nn.Module
) -> nn.Module:
    """``pool`` is that of a block whose kind has one inside; Identity for all others."""
    agree = stride == 1 and channels_in == row.width
    match row.block:
        case "dense":
            return DenseBlock(channels_in, row.width, style, dropout=nn.Identity())
        case "densenet":
            return DenseNetBlock(channels_in, row, style)
        case "convnext":
            return ConvNextBlock(row, style, skip=row.residual)
        case "transformer":
            return TransformerBlock(row, style, skip=row.residual)
        case "inverted" | "fused":
            kind = InvertedBlock if row.block == "inverted" else FusedBlock
            gate = _gate(channels_in, row, style)
            skip = row.residual and agree
            return kind(channels_in, row, style, stride=stride, gate=gate, skip=skip)
        case "conv":
            return ConvBlock(
                channels_in,
                row.width,
                style,
                kernel=row.kernel,
                stride=stride,
                padding=row.pad,
                dilation=row.dilation,
                groups=row.groups,
                gate=_gate(channels_in, row, style),
                pool=pool,
            )
        case "basic" | "bottleneck":
            kind = BasicBlock if row.block == "basic" else BottleneckBlock
            kind = PreactBlock if style.preact else kind
            shortcut = _shortcut(channels_in, row, style, stride=stride)
            gate = _gate(channels_in, row, style)
            return kind(channels_in, row, style, stride=stride, gate=gate, shortcut=shortcut)


def _gate(channels_in: int, row: Stage, style: Style) -> nn.Module:
    """A squeeze gate on a block's output, or on what an inverted block has inside."""
    if not row.squeeze:
        return nn.Identity()
    if row.kind.of == "width":
        return SqueezeExcite(row.width, row.squeeze, style)
    inside = row.inside(channels_in)
    if row.block == "fused" and inside == channels_in:  # its one convolution goes to the width
        inside = row.width
    return SqueezeExcite(inside, row.squeeze, style, of=channels_in)


def _shortcut(channels_in: int, row: Stage, style: Style, *, stride: int) -> nn.Module | None:
    """What the skip passes through: None for a plain block, Identity where shapes agree."""
    if not row.residual:
        return None
    if stride == 1 and channels_in == row.width:
        return nn.Identity()
    if row.shortcut == "pad":
        return ZeroPad(row.width - channels_in, stride=stride)
    return Projection(channels_in, row.width, style, stride=stride, norm=not style.preact)
