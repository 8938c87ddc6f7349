"""A fully connected layer and its activation."""

from __future__ import annotations

from torch import Tensor, nn

from striate.building.parts import Style, make_activation


class DenseBlock(nn.Module):
    """(N, C, H, W) or (N, features_in) → (N, width); features_in = C · H · W for a map."""

    def __init__(self, features_in: int, width: int, style: Style, *, dropout: nn.Module) -> None:
        super().__init__()
        self.linear = nn.Linear(features_in, width)
        self.act = make_activation(style)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)  # (N, C, H, W) → (N, C·H·W), channel by channel, row by row
        x = self.linear(x)
        x = self.act(x)
        return self.dropout(x)
