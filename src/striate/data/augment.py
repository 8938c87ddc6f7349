"""Random changes to training images, each a pure function of (seed, epoch, sample id).

In this order: random resized crop (of the original image), flip, translation, cutout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from striate.data.fitting import resize
from striate.data.options import Indices, Pixels, Words
from striate.data.split import Split
from striate.errors import DataError
from striate.keyed import integers, uniform

CROP_AREA = (0.35, 1.0)
"""Share of the original's area that a random resized crop keeps."""
CROP_RATIO = (3 / 4, 4 / 3)
"""Width to height of a random resized crop (Szegedy et al. 2014, section 6)."""


@dataclass(frozen=True, kw_only=True)
class Augment:
    """What may be changed at random.

    ``flip``: left to right, for every second image.
    ``translate``: by up to this many pixels on both axes; what comes in is the image reflected
    about its edge pixel (He et al. 2015, section 4.2, pad with zeros; a reflection brings no
    colour that the image does not have).
    ``cutout``: side in pixels of a square, its centre anywhere in the image, filled with the
    training split's mean colour (DeVries and Taylor 2017).
    ``crop``: a random part of the original of 0.35 to 1 of its area and a ratio of 3/4 to 4/3,
    brought to the data set's size; for images larger than that.
    """

    flip: bool = False
    translate: int = 0
    cutout: int = 0
    crop: bool = False

    def __post_init__(self) -> None:
        for key in ("translate", "cutout"):
            if getattr(self, key) < 0:
                raise DataError(f"augment {key} {getattr(self, key)} is negative; use 0 or more")


def augmented(split: Split, indices: Indices, augment: Augment, *, seed: int, epoch: int) -> Pixels:
    """The split's images at ``indices``, changed: (n, C, H, W), a new array."""
    ids = split.ids[indices]
    if augment.crop:
        pixels = _cropped(split, indices, seed=seed, epoch=epoch)
    else:
        pixels = split.pixels(indices)
    if augment.flip:
        chosen = integers(seed, "augment.flip", 2, epoch, ids) == 1
        pixels[chosen] = pixels[chosen, :, :, ::-1]
    if augment.translate:
        pixels = _translated(pixels, ids, augment.translate, seed=seed, epoch=epoch)
    if augment.cutout:
        _cut_out(pixels, ids, augment.cutout, split.fill, seed=seed, epoch=epoch)
    return pixels


def _translated(pixels: Pixels, ids: Words, reach: int, *, seed: int, epoch: int) -> Pixels:
    height, width = pixels.shape[2:]
    if reach >= min(height, width):
        raise DataError(
            f"augment translate {reach} is not smaller than the {height}x{width} image; "
            f"use at most {min(height, width) - 1}"
        )
    down = integers(seed, "augment.down", 2 * reach + 1, epoch, ids).tolist()
    right = integers(seed, "augment.right", 2 * reach + 1, epoch, ids).tolist()
    margin = (reach, reach)
    padded = np.pad(pixels, ((0, 0), (0, 0), margin, margin), mode="reflect")
    out = np.empty_like(pixels)
    for i, (top, left) in enumerate(zip(down, right, strict=True)):
        out[i] = padded[i, :, top : top + height, left : left + width]
    return out


def _cut_out(
    pixels: Pixels, ids: Words, side: int, fill: tuple[int, ...], *, seed: int, epoch: int
) -> None:
    height, width = pixels.shape[2:]
    tops = (integers(seed, "augment.cut.y", height, epoch, ids) - side // 2).tolist()
    lefts = (integers(seed, "augment.cut.x", width, epoch, ids) - side // 2).tolist()
    colour = np.array(fill, dtype=pixels.dtype).reshape(-1, 1, 1)
    for i, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        pixels[i, :, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = colour


def _cropped(split: Split, indices: Indices, *, seed: int, epoch: int) -> Pixels:
    """Random resized crops.  A box that would stick out is narrowed to the image's side."""
    ids = split.ids[indices]
    low, high = CROP_AREA
    areas = low + (high - low) * uniform(seed, "augment.crop.area", epoch, ids)
    low, high = np.log(CROP_RATIO)
    ratios = np.exp(low + (high - low) * uniform(seed, "augment.crop.ratio", epoch, ids))
    down = uniform(seed, "augment.crop.y", epoch, ids).tolist()
    right = uniform(seed, "augment.crop.x", epoch, ids).tolist()
    target = split.side
    out: list[Pixels] = []
    for i, original in enumerate(split.originals(indices)):
        height, width = original.shape[1:]
        box_h = min(height, float(np.sqrt(areas[i] * height * width / ratios[i])))
        box_w = min(width, float(np.sqrt(areas[i] * height * width * ratios[i])))
        top, left = down[i] * (height - box_h), right[i] * (width - box_w)
        out.append(resize(original, target, (top, left, top + box_h, left + box_w)))
    return np.stack(out)
