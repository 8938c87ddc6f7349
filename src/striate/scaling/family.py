"""The members of a family: one architecture at every φ of a rule."""

from __future__ import annotations

import math
from dataclasses import dataclass

from striate.arch import Arch, scaled, windows, zoo
from striate.scaling.growth import Growth

IMAGE_UNIT = 4
"""Sides of scaled images are multiples of it, as those of EfficientNet are."""
_PUBLISHED = {"efficientnet_b0": tuple(f"efficientnet_b{phi}" for phi in range(8))}


@dataclass(frozen=True, kw_only=True)
class Member:
    """One network of a family.  ``published``: as its paper's authors made it, by hand."""

    phi: float
    arch: Arch
    published: bool = False


def member(arch: Arch, by: Growth, phi: float, *, divisor: int = 8) -> Member:
    """``arch`` at φ: depths rounded up, widths to a multiple of ``divisor`` (Tan and Le's code),
    sides of the image to the nearest multiple of 4, and of what patches and pools without overlap
    divide it into, so that none of them leaves a border unread.

    φ = 0 is ``arch`` itself, and from member to member no depth, width or side falls as φ grows.
    ArchError where it cannot be built.
    """
    if phi == 0:
        return Member(phi=0, arch=arch)
    depth, width, resolution = by.at(phi)
    name = f"{arch.name[:50]}-{by.rule}{phi:+.6g}"
    made = scaled(
        arch,
        name=name,
        width=width,
        depth=depth,
        image=sides(arch, resolution),
        divisor=divisor,
    )
    return Member(phi=phi, arch=made)


def sides(arch: Arch, factor: float) -> tuple[int, int]:
    """The image's (H, W) times ``factor``, rounded as ``member`` says."""
    unit = _image_unit(arch)
    height, width = (_side(side, factor, unit) for side in arch.image[1:])
    return height, width


def published(arch: Arch, by: Growth, phi: float) -> Member | None:
    """The network that the paper's authors published at this φ, if they did."""
    names = _PUBLISHED.get(arch.name, ())
    if not by.as_published or not 0 < phi < len(names) or phi != int(phi):
        return None
    return Member(phi=phi, arch=zoo(names[int(phi)]), published=True)


def _image_unit(arch: Arch) -> int:
    unit, stride = IMAGE_UNIT, 1
    for _, passed in windows(arch):
        for window in passed:
            stride *= window.stride
            if window.kernel == window.stride > 1 and window.padding == 0:
                unit = math.lcm(unit, stride)
    return unit


def _side(side: int, factor: float, unit: int) -> int:
    if factor == 1:
        return side
    rounded = max(1, round(side * factor / unit)) * unit
    return max(rounded, side) if factor > 1 else min(rounded, side)
