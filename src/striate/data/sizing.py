"""One size, channel count and depth for images that may differ.

All training images of one size: that size.  Mixed sizes: a square whose side is the median short
side of the training images, rounded to the nearest multiple of 16, at least 16 and at most 224.
All images gray: one channel; some in colour: three.  Any image of 16 bits: 16 bits for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.form import Form
from striate.data.images.decode import JpegDecoder
from striate.data.images.header import TRAITS, Trait
from striate.data.options import DataOptions

MULTIPLE = 16
LARGEST = 224

TRAIT_RULES: Mapping[Trait, str] = {
    "1-bit": "1-bit images became 0 and 255",
    "palette": "Palette images became RGB",
    "alpha": "Transparent images were composited over white",
    "cmyk": "CMYK images became RGB by Pillow's conversion",
    "16-bit": "Images of 16 bits are kept at that depth",
    "rotated": "Images were turned upright as their EXIF says",
    "from-white": "16-bit TIFF images that count from white were turned over",
}
"""What is done with images of each trait."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Census:
    """What the images are, over all splits (N,), and the training split's sizes.

    ``sizes`` (N, 2), ``train_sizes`` (n, 2): height and width, upright.  ``colour``: 3 channels.
    ``deep``: 16 bits.  ``traits`` (N, len(TRAITS)).
    """

    sizes: NDArray[np.int64]
    train_sizes: NDArray[np.int64]
    colour: NDArray[np.bool_]
    deep: NDArray[np.bool_]
    traits: NDArray[np.bool_]


def choose_form(census: Census, decoder: JpegDecoder, options: DataOptions) -> Form:
    """The form of the module's rules, or the asked one."""
    height, width = options.side or natural_side(census.train_sizes)
    return Form(
        image=(options.channels or (3 if census.colour.any() else 1), height, width),
        deep=bool(census.deep.any()),
        fit=options.fit,
        decoder=decoder,
    )


def uniform(sizes: NDArray[np.int64]) -> bool:
    """Whether all of ``sizes`` (n, 2) are the same."""
    return bool((sizes == sizes[0]).all())


def natural_side(sizes: NDArray[np.int64]) -> tuple[int, int]:
    """(H, W) for training images of ``sizes`` (n, 2)."""
    if uniform(sizes):
        return int(sizes[0, 0]), int(sizes[0, 1])
    median = float(np.median(sizes.min(axis=1)))
    side = int(np.floor(median / MULTIPLE + 0.5)) * MULTIPLE
    side = min(max(side, MULTIPLE), LARGEST)
    return side, side


def form_notes(form: Form, census: Census, options: DataOptions) -> list[str]:
    """What is done to the images, with counts."""
    notes: list[str] = []
    height, width = form.image[1:]
    other = int((census.sizes != np.array([height, width])).any(axis=1).sum())
    if other:
        if options.side is not None:
            why = "as asked"
        elif uniform(census.train_sizes):
            why = "the size of the training images"
        else:
            why = f"the training images' median short side to the nearest {MULTIPLE}"
        notes.append(
            f"Images brought to {height}x{width} ({why}) by {form.fit}: "
            f"{other} of {len(census.sizes)}."
        )
    gray, coloured = int((~census.colour).sum()), int(census.colour.sum())
    if form.image[0] == 3 and gray:
        notes.append(f"Gray images were given three equal channels: {gray}.")
    if form.image[0] == 1 and coloured:
        notes.append(f"Colour images became gray (ITU-R BT.601 luma): {coloured}.")
    if form.deep and not census.deep.all():
        shallow = int((~census.deep).sum())
        notes.append(f"8-bit images were multiplied by 257 to 16 bits: {shallow}.")
    for trait, count in zip(TRAITS, census.traits.sum(axis=0).tolist(), strict=True):
        if count:
            notes.append(f"{TRAIT_RULES[trait]}: {count}.")
    return notes
