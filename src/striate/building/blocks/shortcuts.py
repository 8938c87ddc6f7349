"""How a skip changes shape where its block does (He et al. 2015, section 3.3)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from striate.building.parts import Style, make_conv, make_norm


class Projection(nn.Module):
    """(N, channels_in, H, W) → (N, channels_out, H / stride, W / stride), sizes rounded up.

    Option B: a strided 1 × 1 convolution with its norm; without one where the norm came before
    (He et al. 2016).
    """

    def __init__(
        self, channels_in: int, channels_out: int, style: Style, *, stride: int, norm: bool = True
    ) -> None:
        super().__init__()
        self.conv = make_conv(channels_in, channels_out, style, stride=stride)
        self.norm = make_norm(channels_out, style) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.norm(x)


class ZeroPad(nn.Module):
    """(N, C, H, W) → (N, C + extra, H / stride, W / stride), sizes rounded up.

    Option A: every ``stride``-th pixel, and ``extra`` channels of zeros; no parameters.
    """

    def __init__(self, extra: int, *, stride: int) -> None:
        super().__init__()
        self.extra = extra
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.extra))

    def extra_repr(self) -> str:
        return f"extra={self.extra}, stride={self.stride}"
