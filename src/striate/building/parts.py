"""The small pieces every block is made of: convolution, norm, activation, pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.arch import Arch, Pool

GROUPS = 32  # of a group norm: Wu and He 2018, table 3


@dataclass(frozen=True, kw_only=True)
class Style:
    """What all blocks of a network share."""

    norm: Literal["batch", "group", "layer", "channel", "none"]
    activation: Literal["relu", "relu6", "gelu", "silu", "tanh"]
    bias: bool
    """Whether convolutions carry a bias."""
    eps: float = 1e-5
    """What the norms add to a variance."""
    preact: bool = False
    """Whether residual blocks begin with their norms."""

    @classmethod
    def of(cls, arch: Arch) -> Style:
        """The style of a network."""
        return cls(
            norm=arch.norm,
            activation=arch.activation,
            bias=arch.conv_bias,
            eps=arch.eps,
            preact=arch.preact,
        )


def make_conv(
    channels_in: int,
    channels_out: int,
    style: Style,
    *,
    kernel: int = 1,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> nn.Conv2d:
    """A convolution, (N, channels_in, H, W) → (N, channels_out, H', W')."""
    return nn.Conv2d(
        channels_in,
        channels_out,
        kernel_size=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=style.bias,
    )


def make_norm(channels: int, style: Style) -> nn.Module:
    """The norm behind a convolution, (N, channels, H, W) → the same; Identity for ``none``."""
    if style.norm == "batch":
        return nn.BatchNorm2d(channels, eps=style.eps)
    if style.norm == "group":
        return nn.GroupNorm(group_count(channels), channels, eps=style.eps)
    if style.norm == "layer":
        return nn.GroupNorm(1, channels, eps=style.eps)
    if style.norm == "channel":
        return ChannelNorm(channels, eps=style.eps)
    return nn.Identity()


def token_norm(channels: int, style: Style) -> nn.LayerNorm:
    """The norm of tokens, (N, tokens, channels) → the same (Ba et al. 2016)."""
    return nn.LayerNorm(channels, eps=style.eps)


class ChannelNorm(nn.LayerNorm):
    """(N, C, H, W) → the same: layer norm over the channels of each position."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's own name
        x = input.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class LayerScale(nn.Module):
    """The same shape, each channel times a learnt factor (Touvron et al. 2021, equation 4).

    ``start``: the factors' first value.  ``axis``: that of the channels, 1 in a map.
    """

    def __init__(self, channels: int, start: float, *, axis: Literal[1, -1] = 1) -> None:
        super().__init__()
        self.start = start
        self.axis = axis
        self.scale = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x * (self.scale[:, None, None] if self.axis == 1 else self.scale)

    def extra_repr(self) -> str:
        return f"{len(self.scale)}, start={self.start:g}"


def group_count(channels: int) -> int:
    """The most groups that divide ``channels``, at most 32, of at least two channels each.

    A group of one channel would be instance norm, which is undefined on a 1 × 1 map.

    >>> [group_count(channels) for channels in (256, 64, 48, 16, 7)]
    [32, 32, 24, 8, 1]
    """
    most = max(1, min(GROUPS, channels // 2))
    return next(groups for groups in range(most, 0, -1) if channels % groups == 0)


def make_activation(style: Style) -> nn.Module:
    """The nonlinearity, of any shape.  Never in place: what a hook saw stays as it was."""
    kinds = {"relu": nn.ReLU, "relu6": nn.ReLU6, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}
    return kinds[style.activation]()


def make_pool(pool: Pool | None) -> nn.Module:
    """A spatial pool, (N, C, H, W) → (N, C, H', W'); Identity for None."""
    if pool is None:
        return nn.Identity()
    kind = nn.MaxPool2d if pool.kind == "max" else nn.AvgPool2d
    return kind(pool.kernel, stride=pool.stride, padding=pool.padding)
