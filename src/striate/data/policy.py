"""TrivialAugment and RandAugment: one or two of fourteen changes an image, drawn anew each epoch.

Each change is Pillow's, on 256 values and one or three channels.  Pixels of another scale (digits'
are 0 to 16) are stretched to 0 … 255 for it and brought back, rounded.  Of 16 bits there is no
such policy: equalising, posterising and solarising are defined on 256 values.

Where it differs from the papers: a shear turns about the image's centre instead of its corner,
what comes in from outside has the training split's mean colour instead of black, pixels between
pixels are interpolated bilinearly, and TrivialAugment's translation stops at half the side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from striate.data.options import Pixels, Words
from striate.errors import DataError
from striate.keyed import integers

Policy = Literal["none", "trivial", "rand"]

STRENGTHS = 31
"""Strengths are whole numbers from 0 to 30, as in both papers' code."""

Colour = tuple[int, ...]
Matrix = tuple[float, float, float, float, float, float]
Tone = Callable[[Image.Image, float], Image.Image]
Place = Callable[[int, int, float], Matrix]


def _colour(image: Image.Image, amount: float) -> Image.Image:
    return image if image.mode == "L" else ImageEnhance.Color(image).enhance(1 + amount)


TONES: dict[str, Tone] = {
    "identity": lambda image, _: image,
    "autocontrast": lambda image, _: ImageOps.autocontrast(image),
    "equalise": lambda image, _: ImageOps.equalize(image),
    "solarise": lambda image, amount: ImageOps.solarize(image, round(256 - amount)),
    "posterise": lambda image, amount: ImageOps.posterize(image, 8 - round(amount)),
    "colour": _colour,
    "contrast": lambda image, amount: ImageEnhance.Contrast(image).enhance(1 + amount),
    "brightness": lambda image, amount: ImageEnhance.Brightness(image).enhance(1 + amount),
    "sharpness": lambda image, amount: ImageEnhance.Sharpness(image).enhance(1 + amount),
}
"""From an image and an amount to the image, changed.  ``solarise`` inverts the highest ``amount``
of the 256 values, ``posterise`` takes so many of the 8 bits away.
"""


def _rotation(height: int, width: int, degrees: float) -> Matrix:
    """Counter-clockwise about the centre."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = width / 2, height / 2
    return cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y


PLACES: dict[str, Place] = {
    "rotate": _rotation,
    "shear-x": lambda height, _, amount: (1, amount, -amount * height / 2, 0, 1, 0),
    "shear-y": lambda _, width, amount: (1, 0, 0, amount, 1, -amount * width / 2),
    "translate-x": lambda _, width, amount: (1, 0, -amount * width, 0, 1, 0),
    "translate-y": lambda height, _, amount: (1, 0, 0, 0, 1, -amount * height),
}
"""From (H, W) and an amount to (a, b, c, d, e, f): the pixel at (x, y) of the result comes from
(a x + b y + c, d x + e y + f) of the image.  A translation's amount is a share of the side.
"""


@dataclass(frozen=True)
class Op:
    """A change: its ``name``, its amount at the greatest strength, and whether by chance it goes
    ``both`` ways.
    """

    name: str
    most: float
    both: bool = False


def _space(turn: float, shear: float, shift: float, tone: float, bits: int) -> tuple[Op, ...]:
    """The fourteen changes, with the amounts in which the two papers differ."""
    return (
        Op("identity", 0),
        Op("autocontrast", 0),
        Op("equalise", 0),
        Op("rotate", turn, both=True),
        Op("solarise", 256),
        Op("colour", tone, both=True),
        Op("posterise", bits),
        Op("contrast", tone, both=True),
        Op("brightness", tone, both=True),
        Op("sharpness", tone, both=True),
        Op("shear-x", shear, both=True),
        Op("shear-y", shear, both=True),
        Op("translate-x", shift, both=True),
        Op("translate-y", shift, both=True),
    )


TRIVIAL_SHIFT = 32
"""TrivialAugment's greatest translation in pixels; at most half the side."""

TRIVIAL = _space(turn=135, shear=0.99, shift=TRIVIAL_SHIFT, tone=0.99, bits=6)
"""Müller and Hutter 2021, "TrivialAugment", the table of augmentation spaces, column "Wide"."""

RAND = _space(turn=30, shear=0.3, shift=150 / 331, tone=0.9, bits=4)
"""Cubuk et al. 2020, "RandAugment", section 3, with AutoAugment's ranges (Cubuk et al. 2019, table
6), whose 150 px are of images of 331 px.
"""


def applied(image: Image.Image, op: Op, amount: float, fill: Colour) -> Image.Image:
    """``image`` (L or RGB) changed by ``op``; ``fill`` is the colour of what comes in."""
    if op.name in TONES:
        return TONES[op.name](image, amount)
    if not amount:
        return image
    return image.transform(
        image.size,
        Image.Transform.AFFINE,
        PLACES[op.name](image.height, image.width, amount),
        resample=Image.Resampling.BILINEAR,
        fillcolor=fill[0] if image.mode == "L" else fill,
    )


def change(
    pixels: Pixels,
    keys: Words,
    policy: Policy,
    *,
    scale: float,
    fill: Colour,
    ops: int,
    strength: int,
    seed: int,
    epoch: int,
) -> None:
    """Change ``pixels`` (n, C, H, W) uint8 in place, each image by the key it has in ``keys``.

    ``trivial`` makes one change, of any strength; ``rand`` makes ``ops`` of one ``strength``.
    DataError for pixels of 16 bits, or of other than one or three channels.
    """
    refuse(pixels.dtype, pixels.shape[1], policy)
    table, ops = (TRIVIAL, 1) if policy == "trivial" else (RAND, ops)
    stretched = np.clip(np.rint(np.arange(256) * (255 / scale)), 0, 255).astype(np.uint8)
    back = np.rint(np.arange(256) * (scale / 255)).astype(np.uint8)
    colour = tuple(int(stretched[value]) for value in fill)
    stages = np.arange(ops)[None]
    rows = keys[:, None]
    which: list[list[int]] = integers(
        seed, "augment.policy.op", len(table), epoch, rows, stages
    ).tolist()
    drawn: list[list[int]] = integers(
        seed, "augment.policy.strength", STRENGTHS, epoch, rows, stages
    ).tolist()
    signs: list[list[int]] = (
        1 - 2 * integers(seed, "augment.policy.sign", 2, epoch, rows, stages)
    ).tolist()
    if scale != 255:
        pixels[...] = stretched[pixels]
    gray = pixels.shape[1] == 1
    for i in range(len(pixels)):
        plane = pixels[i, 0] if gray else pixels[i].transpose(1, 2, 0)
        image = Image.fromarray(np.ascontiguousarray(plane))
        for number, own, sign in zip(which[i], drawn[i], signs[i], strict=True):
            op = table[number]
            share = (own if policy == "trivial" else strength) / (STRENGTHS - 1)
            amount = share * _most(op, image) * (sign if op.both else 1)
            image = applied(image, op, amount, colour)
        changed = np.asarray(image)
        pixels[i] = changed if gray else changed.transpose(2, 0, 1)
    if scale != 255:
        pixels[...] = back[pixels]


def _most(op: Op, image: Image.Image) -> float:
    """The amount at the greatest strength; of a translation as a share of its side."""
    if op.most != TRIVIAL_SHIFT:
        return op.most
    return min(op.most / (image.width if op.name == "translate-x" else image.height), 0.5)


def refuse(dtype: np.dtype[np.generic], channels: int, policy: Policy) -> None:
    """DataError where ``policy`` cannot be applied to images of this kind."""
    if dtype != np.uint8:
        raise DataError(
            f'augment policy "{policy}": the images have 16 bits a value, and its changes '
            '(equalise, posterise, solarise) are defined on 256 values; use policy = "none", with '
            "flip, translate, cutout or erase"
        )
    if channels not in (1, 3):
        raise DataError(
            f'augment policy "{policy}": the images have {channels} channels, and its changes are '
            'defined on gray and colour images; use policy = "none", with flip, translate, '
            "cutout or erase"
        )
