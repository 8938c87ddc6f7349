"""From the last feature map to the logits."""

from __future__ import annotations

from torch import Tensor, nn

from striate.arch import Head
from striate.building.blocks.dense import DenseBlock
from striate.building.blocks.dropout import Dropout
from striate.building.parts import Style, make_activation, make_conv, make_norm, token_norm


class HeadBlock(nn.Module):
    """(N, C, H, W), (N, tokens, C), or (N, C) from a dense stage, → (N, classes).

    Global average pooling is Lin et al. 2013, section 3.2; hidden layers with dropout behind each
    are VGG's (Simonyan and Zisserman 2014, section 3.1); a last 1 × 1 convolution is MobileNetV2's
    (Sandler et al. 2018, table 2).  ``map_size`` is the (H, W) that arrives; ``tokens``: whether
    tokens do.
    """

    def __init__(
        self,
        channels: int,
        map_size: tuple[int, int],
        row: Head,
        classes: int,
        style: Style,
        *,
        tokens: bool = False,
    ) -> None:
        super().__init__()
        self.widen: nn.Module = nn.Identity()
        if row.width is not None:
            self.widen = nn.Sequential()
            self.widen.add_module("conv", make_conv(channels, row.width, style))
            self.widen.add_module("norm", make_norm(row.width, style))
            self.widen.add_module("act", make_activation(style))
            channels = row.width
        self.norm_map, self.act_map = _last_norm(channels, row, style, on="map", tokens=tokens)
        kinds = {"avg": nn.AdaptiveAvgPool2d, "max": nn.AdaptiveMaxPool2d}
        self.pool: nn.Module = Pick(row.pool) if tokens else nn.Identity()
        if row.pool in kinds and not tokens:
            self.pool = kinds[row.pool](row.size)
        self.norm, self.act = _last_norm(channels, row, style, on="pooled", tokens=tokens)
        sides = map_size if row.pool == "none" else (row.size, row.size)
        features = channels * sides[0] * sides[1]
        self.hidden = nn.Sequential()
        for index, width in enumerate(row.hidden):
            dropout = _dropout(row.dropout, f"head.hidden.{index}.dropout")
            self.hidden.append(DenseBlock(features, width, style, dropout=dropout))
            features = width
        self.dropout = nn.Identity() if row.hidden else _dropout(row.dropout, "head.dropout")
        self.linear = nn.Linear(features, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.widen(x)
        x = self.norm_map(x)
        x = self.act_map(x)
        x = self.pool(x)
        x = self.norm(x)
        x = self.act(x)
        x = x.flatten(1)  # (N, C, h, w) → (N, C·h·w)
        x = self.hidden(x)
        x = self.dropout(x)
        return self.linear(x)


class Pick(nn.Module):
    """(N, tokens, C) → (N, C): the class token, which comes first, or the mean of all tokens."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0] if self.kind == "token" else x.mean(dim=1)

    def extra_repr(self) -> str:
        return self.kind


def _last_norm(
    channels: int, row: Head, style: Style, *, on: str, tokens: bool
) -> tuple[nn.Module, nn.Module]:
    """The last norm and its activation, if this is where they stand."""
    if row.norm != on:
        return nn.Identity(), nn.Identity()
    norm = token_norm(channels, style) if tokens else make_norm(channels, style)
    return norm, make_activation(style) if row.activation else nn.Identity()


def _dropout(drop: float, path: str) -> nn.Module:
    return Dropout(drop, purpose=path) if drop else nn.Identity()
