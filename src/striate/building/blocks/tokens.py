"""From a map to a row of tokens that know their places."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Tokens(nn.Module):
    """(N, C, H, W) → (N, H·W, C), row by row; with a class token first, (N, 1 + H·W, C).

    ``positions`` is learnt, one vector for each token (Dosovitskiy et al. 2020, equation 1), so
    that the network takes images of one size.
    """

    def __init__(self, channels: int, map_size: tuple[int, int], *, class_token: bool) -> None:
        super().__init__()
        self.map_size = map_size
        tokens = map_size[0] * map_size[1] + class_token
        self.class_token: nn.Parameter | None = None
        if class_token:
            self.class_token = nn.Parameter(torch.empty(1, 1, channels))
        self.positions = nn.Parameter(torch.empty(1, tokens, channels))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2).transpose(1, 2)  # (N, C, H, W) → (N, H·W, C)
        if self.class_token is not None:
            x = torch.cat((self.class_token.expand(len(x), -1, -1), x), dim=1)
        return x + self.positions

    def back(self, x: Tensor) -> Tensor:
        """(N, tokens, C) → (N, C, H, W), the class token left out."""
        if self.class_token is not None:
            x = x[:, 1:]
        return x.transpose(1, 2).reshape(len(x), -1, *self.map_size)
