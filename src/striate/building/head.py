"""From the last feature map to the logits."""

from __future__ import annotations

from torch import Tensor, nn

from striate.arch import Head
from striate.building.blocks.dense import DenseBlock
from striate.building.blocks.dropout import Dropout
from striate.building.parts import Style


class HeadBlock(nn.Module):
    """(N, C, H, W), or (N, C) from a dense stage, → (N, classes).

    Global average pooling is Lin et al. 2013, section 3.2; hidden layers with dropout behind each
    are VGG's (Simonyan and Zisserman 2014, section 3.1).  ``map_size`` is the (H, W) that arrives.
    """

    def __init__(
        self, channels: int, map_size: tuple[int, int], row: Head, classes: int, style: Style
    ) -> None:
        super().__init__()
        kinds = {"avg": nn.AdaptiveAvgPool2d, "max": nn.AdaptiveMaxPool2d}
        self.pool = nn.Identity() if row.pool == "none" else kinds[row.pool](row.size)
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
        x = self.pool(x)
        x = x.flatten(1)  # (N, C, h, w) → (N, C·h·w)
        x = self.hidden(x)
        x = self.dropout(x)
        return self.linear(x)


def _dropout(drop: float, path: str) -> nn.Module:
    return Dropout(drop, purpose=path) if drop else nn.Identity()
