"""What stands between the stages of networks whose blocks do not change a map's shape."""

from __future__ import annotations

from torch import Tensor, nn

from striate.building.parts import Style, make_activation, make_conv, make_norm


class Downsample(nn.Module):
    """(N, channels_in, H, W) → (N, channels_out, H / stride, W / stride), sizes rounded down.

    A norm and a convolution of kernel = stride (Liu et al. 2022, section 2.6).
    """

    def __init__(self, channels_in: int, channels_out: int, style: Style, *, stride: int) -> None:
        super().__init__()
        self.norm = make_norm(channels_in, style)
        self.conv = make_conv(channels_in, channels_out, style, kernel=stride, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        return self.conv(x)


class Compression(nn.Module):
    """(N, channels_in, H, W) → (N, channels_out, H, W).

    Norm, activation and a 1 × 1 convolution: DenseNet's transition without its pool (Huang et al.
    2016, section 3).
    """

    def __init__(self, channels_in: int, channels_out: int, style: Style) -> None:
        super().__init__()
        self.norm = make_norm(channels_in, style)
        self.act = make_activation(style)
        self.conv = make_conv(channels_in, channels_out, style)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        x = self.act(x)
        return self.conv(x)
