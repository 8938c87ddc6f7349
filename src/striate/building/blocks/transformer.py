"""Attention among all tokens, then a small network at each; a skip around both."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from striate.arch import Stage
from striate.building.drop_path import DropPath
from striate.building.parts import LayerScale, Style, make_activation, token_norm


class TransformerBlock(nn.Module):
    """(N, tokens, width) → the same.

        x ─ norm1 ─ qkv ─ attention ─ proj ─ scale1 ─ + ─ norm2 ─ fc1 ─ act ─ fc2 ─ scale2 ─ +
        └─────────────────────────────────────────────┴──────────────────────────────────────┘

    Dosovitskiy et al. 2020, equations 2 and 3: layer norms over the channels before each part,
    attention of ``heads`` heads of width / heads channels each (Vaswani et al. 2017, equation 1).
    """

    def __init__(self, row: Stage, style: Style, *, skip: bool) -> None:
        super().__init__()
        self.heads = row.heads
        self.norm1 = token_norm(row.width, style)
        self.qkv = nn.Linear(row.width, 3 * row.width)
        self.proj = nn.Linear(row.width, row.width)
        self.scale1 = _scale(row)
        self.norm2 = token_norm(row.width, style)
        self.fc1 = nn.Linear(row.width, row.inner)
        self.act = make_activation(style)
        self.fc2 = nn.Linear(row.inner, row.width)
        self.scale2 = _scale(row)
        self.skip = skip
        if skip:
            self.drop1, self.drop2 = DropPath(), DropPath()

    def forward(self, x: Tensor) -> Tensor:
        out = self.attend(self.norm1(x))
        out = self.scale1(out)
        x = x + self.drop1(out) if self.skip else out
        out = self.norm2(x)
        out = self.fc1(out)
        out = self.act(out)
        out = self.fc2(out)
        out = self.scale2(out)
        return x + self.drop2(out) if self.skip else out

    def attend(self, x: Tensor) -> Tensor:
        """Every token's mean of all values, weighted by softmax(q · k / √channels)."""
        images, tokens, width = x.shape
        split = self.qkv(x).reshape(images, tokens, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4).unbind(0)  # each (N, heads, tokens, channels)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(images, tokens, width))


def _scale(row: Stage) -> nn.Module:
    return LayerScale(row.width, row.layer_scale, axis=-1) if row.layer_scale else nn.Identity()
