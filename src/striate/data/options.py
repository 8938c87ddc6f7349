"""What a user may ask of a data set, and the words for it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from striate.data.room import ram_room
from striate.errors import DataError, choices

Fit = Literal["crop", "pad", "stretch"]
BadImages = Literal["error", "skip"]
Decoder = Literal["auto", "pillow", "simplejpeg"]

Pixels = NDArray[np.uint8 | np.uint16]
"""Pixels as they are kept: (N, C, H, W) or (C, H, W), never float."""

Indices = NDArray[np.int64]
Words = NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """How to open a data set.

    ``image``: the size every image is brought to, (C, H, W), or (H, W) with the data's channels;
    None takes the data's own size (``sizing.py`` has the rule for mixed sizes).
    ``fit``: how an image of another size is brought to it (``fitting.py``).
    ``bad_images``: ``error`` stops at a file that cannot be read, ``skip`` leaves it out and says
    so in the notes.
    ``group``: a regular expression; files whose paths give the same key (its first group, or the
    whole match) stay on one side of every split.
    ``seed``: chooses the carved splits (and draws ``shapes``).
    ``val``, ``test``: shares of the images that came without such a split; 0 carves no ``val``.
    ``decoder``: who decodes plain JPEG; ``auto`` is simplejpeg where it is installed.
    ``share``: how much of the training images is used, of every class alike; the others are left
    out, whole groups together, and ``val`` and ``test`` are as without it.
    ``fold``: (number, of how many), from 1: one training of a cross-validation.  What is not test
    is divided into so many parts alike in their classes; the one of this number is ``val`` and the
    others are ``train``.  ``val`` has no say then, and what came as ``val`` is in the parts.
    ``count``: number of images of ``shapes``.
    ``normalise``: mean and deviation per channel, of pixels in 0…1, that take the place of the
    training split's own: those that trained weights expect.
    ``cache_bytes``: decoded pixels are kept in RAM up to this many bytes; None for a quarter of
    the memory that is available.
    ``disk_bytes``: what does not fit there is decoded into a file of the user's cache, which
    processes share, up to this many bytes; None for half of the disk that is free.
    """

    image: tuple[int, int, int] | tuple[int, int] | None = None
    fit: Fit = "crop"
    bad_images: BadImages = "error"
    group: str | None = None
    seed: int = 0
    val: float = 0.1
    test: float = 0.2
    decoder: Decoder = "auto"
    share: float = 1.0
    fold: tuple[int, int] | None = None
    count: int | None = None
    normalise: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    cache_bytes: int | None = None
    disk_bytes: int | None = None

    def __post_init__(self) -> None:
        for key, known in (("fit", Fit), ("bad_images", BadImages), ("decoder", Decoder)):
            value = getattr(self, key)
            if value not in get_args(known):
                raise DataError(f"{key} {value!r} is unknown; {choices(value, get_args(known))}")
        if not (0 <= self.val < 1 and 0 <= self.test < 1 and self.val + self.test < 1):
            raise DataError(
                f"val {self.val} and test {self.test} leave nothing to train on; "
                "use shares from 0 that add up to less than 1"
            )
        if not 0 < self.share <= 1:
            raise DataError(f"share {self.share:g} of the training images: use 1, or less, above 0")
        if self.fold is not None and not (self.fold[1] >= 2 and 1 <= self.fold[0] <= self.fold[1]):
            raise DataError(
                f"fold {self.fold[0]} of {self.fold[1]} cannot be; use 2 folds or more, and a "
                "number from 1 to theirs"
            )
        if self.image is not None and not _possible(self.image):
            raise DataError(
                f"image {'x'.join(map(str, self.image))} is no image size; "
                "use HxW or CxHxW with sides from 1 to 65536 and 1 or 3 channels"
            )
        if self.group is not None:
            try:
                re.compile(self.group)
            except re.error as error:
                raise DataError(
                    f"group {self.group!r} is no regular expression: {error}; mend the expression"
                ) from error
        if self.count is not None and self.count < 1:
            raise DataError(f"count {self.count} is no number of images; use 1 or more")
        if self.normalise is not None and not _normal(*self.normalise):
            mean, std = map(list, self.normalise)
            raise DataError(
                f"normalise by mean {mean} and deviation {std} cannot be; use one of each per "
                "channel, deviations above 0"
            )
        for what, size in (("cache", self.cache_bytes), ("disk cache", self.disk_bytes)):
            if size is not None and size < 0:
                raise DataError(f"{what} of {size} bytes cannot be; use 0 or more")

    @property
    def ram_bytes(self) -> int:
        """``cache_bytes``, or what there is room for now."""
        return ram_room() if self.cache_bytes is None else self.cache_bytes

    @property
    def side(self) -> tuple[int, int] | None:
        """The asked (H, W), or None."""
        return None if self.image is None else (self.image[-2], self.image[-1])

    @property
    def channels(self) -> int | None:
        """The asked number of channels, or None."""
        return self.image[0] if self.image is not None and len(self.image) == 3 else None


def _normal(mean: Sequence[float], std: Sequence[float]) -> bool:
    finite = all(math.isfinite(value) for value in (*mean, *std))
    return 0 < len(mean) == len(std) and finite and min(std) > 0


def _possible(image: Sequence[int]) -> bool:
    if len(image) not in (2, 3) or not all(1 <= side <= 65536 for side in image):
        return False
    return len(image) == 2 or image[0] in (1, 3)
