"""Squeeze-excitation: each channel scaled by a gate that sees the whole map."""

from __future__ import annotations

from torch import Tensor, nn

from striate.building.parts import Style, make_activation


class SqueezeExcite(nn.Module):
    """(N, C, H, W) → the same.

    Hu et al. 2017, figure 2: the mean of each channel, down to ``ratio`` · C channels (or that
    share ``of`` another number), activation, up to C, sigmoid, and a product.  The two fully
    connected layers are 1 × 1 convolutions on a 1 × 1 map.
    """

    def __init__(self, channels: int, ratio: float, style: Style, *, of: int | None = None) -> None:
        super().__init__()
        hidden = max(1, round(ratio * (of or channels)))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, hidden, kernel_size=1)
        self.act = make_activation(style)
        self.expand = nn.Conv2d(hidden, channels, kernel_size=1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        scale = self.pool(x)  # (N, C, 1, 1)
        scale = self.reduce(scale)
        scale = self.act(scale)
        scale = self.expand(scale)
        scale = self.gate(scale)
        return x * scale
