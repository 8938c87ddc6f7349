"""Width and depth times a factor, rounded as the papers' own code rounds them."""

from __future__ import annotations

import math
from fractions import Fraction

from striate.arch.spec import Arch, Stage
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


def scaled(
    arch: Arch,
    *,
    name: str,
    width: float = 1.0,
    depth: float = 1.0,
    image: tuple[int, int] | None = None,
    dropout: float | None = None,
    divisor: int = 8,
) -> Arch:
    """``arch`` with every width and depth times a factor, for images of another size, (H, W).

    Tan and Le 2019, equation 3, with the rounding of their code.  Where a width must also be a
    multiple of something else (the groups of convolutions, the channels of an attention head,
    which stay as they are while their number grows), it is rounded to a multiple of both.  Rounding
    never turns a factor round: above 1 nothing gets narrower than it was, below 1 nothing wider,
    and at 1 all stays as it is.  ArchError where the result cannot be built.
    """
    data = to_dict(arch)
    data["name"] = name
    if image is not None:
        data["image"] = [arch.image[0], *image]
    units = _units(arch, divisor)
    if arch.stem is not None:
        data["stem"]["width"] = _width(arch.stem.width, width, units[0])
    for row, stage, unit in zip(data["stages"], arch.stages, units[1:], strict=True):
        row["width"] = _width(stage.width, width, unit)
        row["depth"] = round_depth(stage.depth * depth)
        if stage.heads > 1:
            row["heads"] = row["width"] * stage.heads // stage.width
    head = data.setdefault("head", {})
    if arch.head.width is not None:
        head["width"] = _width(arch.head.width, width, divisor)
    if arch.head.hidden:
        head["hidden"] = [_width(many, width, divisor) for many in arch.head.hidden]
    if dropout is not None:
        head["dropout"] = dropout
    return from_dict(data, where=name)


def _width(channels: int, factor: float, unit: int) -> int:
    """``channels`` times ``factor``, rounded to a multiple of ``unit`` but never past itself."""
    if factor == 1:
        return channels
    rounded = round_channels(channels * factor, divisor=unit)
    return max(rounded, channels) if factor > 1 else min(rounded, channels)


def _units(arch: Arch, divisor: int) -> list[int]:
    """What the widths of the stem and of each stage are rounded to a multiple of."""
    units = [divisor, *(_unit(stage, divisor) for stage in arch.stages)]
    for index, stage in reversed(list(enumerate(arch.stages))):
        if stage.block == "transformer":  # it keeps the width that it is given
            units[index] = units[index + 1] = math.lcm(units[index], units[index + 1])
        elif stage.block in ("conv", "basic"):  # their groups divide what they are given too
            units[index] = math.lcm(units[index], stage.groups)
    return units


def _unit(stage: Stage, divisor: int) -> int:
    if stage.block == "transformer":
        return stage.width // stage.heads if stage.heads > 1 else divisor
    if stage.groups == 1:
        return divisor
    # the channels inside, expansion · width, must be a multiple of the groups
    share = Fraction(stage.inner, stage.width).limit_denominator(64)
    own = stage.groups if stage.block == "basic" else 1  # whose second convolution has them too
    return math.lcm(divisor, own, (stage.groups / share).numerator)
