"""Random changes to training images, each a pure function of (seed, epoch, sample id).

In this order: random resized crop (of the original image), flip, translation, a policy's changes,
cutout, erasing.  A sample that comes more than once in an epoch is changed anew each time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.dataset import Dataset
from striate.data.fitting import resize
from striate.data.options import Indices, Pixels, Words
from striate.data.policy import STRENGTHS, Policy, change, refuse
from striate.data.shifting import shift
from striate.data.split import Split
from striate.errors import DataError
from striate.keyed import integers, uniform

CROP_AREA = (0.35, 1.0)
"""Share of the original's area that a random resized crop keeps."""
CROP_RATIO = (3 / 4, 4 / 3)
"""Width to height of a random resized crop (Szegedy et al. 2014, section 6)."""
ERASED_AREA = (0.02, 0.4)
"""Share of the image's area that is erased."""
ERASED_RATIO = (0.3, 1 / 0.3)
"""Height to width of what is erased (Zhong et al. 2020, section 4.1)."""

_BLOCK_BYTES = 1 << 19
"""So much of a batch is changed at a time: it stays in a core's cache, and what is needed beside
it is small enough to be had again and again without asking the system for fresh pages."""


@dataclass(frozen=True, kw_only=True)
class Augment:
    """What may be changed at random.

    ``flip``: left to right, for every second image; which they are is drawn once, and from then on
    they take turns, so that two epochs show both sides of each (Jordan 2024, section 3.6).
    ``translate``: by up to this many pixels on both axes; what comes in is the image reflected
    about its edge pixel (He et al. 2015, section 4.2, pad with zeros; a reflection brings no
    colour that the image does not have).
    ``cutout``: side in pixels of a square, its centre anywhere in the image, filled with the
    training split's mean colour (DeVries and Taylor 2017).
    ``crop``: a random part of the original of 0.35 to 1 of its area and a ratio of 3/4 to 4/3,
    brought to the data set's size; for images larger than that.
    ``policy``: ``trivial`` for TrivialAugment, ``rand`` for RandAugment with ``ops`` changes of one
    ``strength`` (0 to 30); see ``policy.py``.
    ``erase``: the share of images of which a rectangle is filled with the mean colour.
    """

    flip: bool = False
    translate: int = 0
    cutout: int = 0
    crop: bool = False
    policy: Policy = "none"
    ops: int = 2
    strength: int = 9
    erase: float = 0.0

    def __post_init__(self) -> None:
        for key in ("translate", "cutout"):
            if getattr(self, key) < 0:
                raise DataError(f"augment {key} {getattr(self, key)} is negative; use 0 or more")
        if not 0 <= self.strength < STRENGTHS:
            raise DataError(f"augment strength {self.strength} is none; use 0 to {STRENGTHS - 1}")
        if self.ops < 1:
            raise DataError(f"augment ops {self.ops} would change nothing; use 1 or more")

    def refuse_for(self, dataset: Dataset) -> None:
        """DataError, before a step is trained, where ``dataset``'s images cannot be so changed."""
        _refuse_translation(self.translate, dataset.image[1:])
        if self.policy != "none":
            dtype = np.dtype(np.uint8 if dataset.counts.shape[1] == 256 else np.uint16)
            refuse(dtype, dataset.image[0], self.policy)


def augmented(
    split: Split, indices: Indices, keys: Words, augment: Augment, *, seed: int, epoch: int
) -> Pixels:
    """The split's images at ``indices``, changed: (n, C, H, W), a new array.

    ``keys`` (n,): what the changes are drawn by, the samples' ids unless they come again.
    """
    if augment.crop:
        pixels = _cropped(split, indices, _Drawn(keys, seed=seed, epoch=epoch))
    else:
        pixels = split.pixels(indices)
    step = max(1, _BLOCK_BYTES // (pixels[0].nbytes if len(pixels) else 1))
    for start in range(0, len(pixels), step):
        block = slice(start, start + step)
        _change(pixels[block], keys[block], split, augment, seed=seed, epoch=epoch)
    return pixels


def _change(
    pixels: Pixels, keys: Words, split: Split, augment: Augment, *, seed: int, epoch: int
) -> None:
    """What is done after the crop, to ``pixels`` (n, C, H, W) where they lie."""
    drawn = _Drawn(keys, seed=seed, epoch=epoch)
    if augment.flip:
        chosen = drawn.mirrored()
        pixels[chosen] = pixels[chosen, :, :, ::-1]
    if augment.translate:
        _translate(pixels, augment.translate, drawn)
    if augment.policy != "none":
        change(
            pixels,
            keys,
            augment.policy,
            scale=split.scale,
            fill=split.fill,
            ops=augment.ops,
            strength=augment.strength,
            seed=seed,
            epoch=epoch,
        )
    if augment.cutout:
        _cut_out(pixels, augment.cutout, split.fill, drawn)
    if augment.erase:
        _erase(pixels, augment.erase, split.fill, drawn)


class _Drawn:
    """The draws of some samples in one epoch, by purpose."""

    def __init__(self, keys: Words, *, seed: int, epoch: int) -> None:
        self._keys, self._seed, self._epoch = keys, seed, epoch

    def below(self, count: int, purpose: str) -> Indices:
        return integers(self._seed, purpose, count, self._epoch, self._keys)

    def mirrored(self) -> NDArray[np.bool_]:
        """Which are seen from the other side in this epoch."""
        return (integers(self._seed, "augment.flip", 2, self._keys) + self._epoch) % 2 == 1

    def between(self, low: float, high: float, purpose: str) -> NDArray[np.float64]:
        return low + (high - low) * uniform(self._seed, purpose, self._epoch, self._keys)


def _refuse_translation(reach: int, side: tuple[int, ...]) -> None:
    if reach and reach >= min(side):
        raise DataError(
            f"augment translate {reach} is not smaller than the {side[0]}x{side[1]} image; "
            f"use at most {min(side) - 1}"
        )


def _translate(pixels: Pixels, reach: int, drawn: _Drawn) -> None:
    _refuse_translation(reach, pixels.shape[2:])
    down = drawn.below(2 * reach + 1, "augment.down")
    right = drawn.below(2 * reach + 1, "augment.right")
    shift(pixels, down, right, reach)


def _cut_out(pixels: Pixels, side: int, fill: tuple[int, ...], drawn: _Drawn) -> None:
    height, width = pixels.shape[2:]
    tops = (drawn.below(height, "augment.cut.y") - side // 2).tolist()
    lefts = (drawn.below(width, "augment.cut.x") - side // 2).tolist()
    colour = np.array(fill, dtype=pixels.dtype).reshape(-1, 1, 1)
    for i, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        pixels[i, :, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = colour


def _erase(pixels: Pixels, share: float, fill: tuple[int, ...], drawn: _Drawn) -> None:
    """Zhong et al. 2020, algorithm 1, but that a rectangle too long for the image is shortened
    where the algorithm draws another, and that it is of one colour.
    """
    height, width = pixels.shape[2:]
    chosen = drawn.between(0, 1, "augment.erase") < share
    areas = height * width * drawn.between(*ERASED_AREA, "augment.erase.area")
    ratios = drawn.between(*ERASED_RATIO, "augment.erase.ratio")
    tall = np.clip(np.rint(np.sqrt(areas * ratios)), 1, height).astype(np.int64)
    wide = np.clip(np.rint(np.sqrt(areas / ratios)), 1, width).astype(np.int64)
    tops = np.floor(drawn.between(0, 1, "augment.erase.y") * (height - tall + 1)).astype(np.int64)
    lefts = np.floor(drawn.between(0, 1, "augment.erase.x") * (width - wide + 1)).astype(np.int64)
    colour = np.array(fill, dtype=pixels.dtype).reshape(-1, 1, 1)
    for i in np.flatnonzero(chosen).tolist():
        top, left = tops[i], lefts[i]
        pixels[i, :, top : top + tall[i], left : left + wide[i]] = colour


def _cropped(split: Split, indices: Indices, drawn: _Drawn) -> Pixels:
    """Random resized crops.  A box that would stick out is narrowed to the image's side."""
    areas = drawn.between(*CROP_AREA, "augment.crop.area")
    low, high = np.log(CROP_RATIO)
    ratios = np.exp(drawn.between(low, high, "augment.crop.ratio"))
    down = drawn.between(0, 1, "augment.crop.y").tolist()
    right = drawn.between(0, 1, "augment.crop.x").tolist()
    target = split.side
    out: list[Pixels] = []
    for i, original in enumerate(split.originals(indices)):
        height, width = original.shape[1:]
        box_h = min(height, float(np.sqrt(areas[i] * height * width / ratios[i])))
        box_w = min(width, float(np.sqrt(areas[i] * height * width * ratios[i])))
        top, left = down[i] * (height - box_h), right[i] * (width - box_w)
        out.append(resize(original, target, (top, left, top + box_h, left + box_w)))
    return np.stack(out)
