"""Width and depth times a factor, rounded as the papers' own code rounds them."""

from __future__ import annotations

import math
from typing import Any

from striate.arch.spec import Arch
from striate.arch.text import from_dict, to_dict


def round_channels(channels: float, *, divisor: int = 8) -> int:
    """To the nearest multiple of ``divisor``, never below nine tenths of what was asked for.

    MobileNetV2's and EfficientNet's published rule.

    >>> [round_channels(32 * width) for width in (1.0, 1.1, 1.2, 1.4)]
    [32, 32, 40, 48]
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def round_depth(depth: float) -> int:
    """Up to the next whole block (EfficientNet's published rule)."""
    return max(1, math.ceil(depth))


def compound(
    arch: Arch,
    *,
    name: str,
    width: float = 1.0,
    depth: float = 1.0,
    image: tuple[int, int] | None = None,
    dropout: float | None = None,
    divisor: int = 8,
) -> Arch:
    """``arch`` with every width and depth times a factor, for images of another size.

    Tan and Le 2019, equation 3, with the rounding of their code.  ``image`` is (H, W).
    ArchError where the result cannot be built.
    """

    def widened(part: dict[str, Any] | None) -> None:
        if part is not None and part.get("width") is not None:
            part["width"] = round_channels(part["width"] * width, divisor=divisor)

    data = to_dict(arch)
    data["name"] = name
    if image is not None:
        data["image"] = [arch.image[0], *image]
    widened(data.get("stem"))
    for stage in data["stages"]:
        widened(stage)
        stage["depth"] = round_depth(stage["depth"] * depth)
    head = data.setdefault("head", {})
    widened(head)
    if dropout is not None:
        head["dropout"] = dropout
    return from_dict(data, where=name)
