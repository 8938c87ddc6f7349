"""Convolution, norm, activation: the block of VGG and of every stem."""

from __future__ import annotations

from torch import Tensor, nn

from striate.building.parts import Style, make_activation, make_conv, make_norm


class ConvBlock(nn.Module):
    """(N, channels_in, H, W) → (N, channels_out, H', W').

    H' = floor((H + 2·padding − dilation·(kernel − 1) − 1) / stride) + 1.  Simonyan and Zisserman
    2014 (table 1), with a norm where the network has one (Ioffe and Szegedy 2015, section 3.2).
    ``pool`` stands behind the convolution (Jordan 2024, section 3.1), ``gate`` behind the
    activation (Hu et al. 2017, section 3.3).
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        style: Style,
        *,
        kernel: int,
        stride: int,
        padding: int,
        dilation: int,
        groups: int,
        gate: nn.Module,
        pool: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.conv = make_conv(
            channels_in,
            channels_out,
            style,
            kernel=kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        )
        self.pool = nn.Identity() if pool is None else pool
        self.norm = make_norm(channels_out, style)
        self.act = make_activation(style)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = self.pool(x)
        x = self.norm(x)
        x = self.act(x)
        return self.gate(x)
