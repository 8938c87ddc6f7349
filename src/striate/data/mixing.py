"""Mixup and CutMix: a training image with a partner's pixels in it, and its share of the target.

Partners come from the same batch: its samples are put into a keyed order, and each one's partner is
the next in it (the last one's the first).  So nobody is mixed with itself, every image is a
partner once, and the pairs are a function of (seed, epoch, the batch's samples), however many
processes or workers divide the batch among themselves.  The partner's pixels are those that it has
in this epoch itself, after its own augmentation.

Pixels stay whole numbers: Mixup weighs in 256ths, and the target is weighed by the same number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.options import Indices, Pixels, Words
from striate.errors import DataError
from striate.keyed import bits, uniform

PARTS = 256
"""Mixup's weights are whole multiples of 1/256: what 8 bits of a pixel can show."""


@dataclass(frozen=True, kw_only=True)
class Mix:
    """How images are mixed; where both ways are on, each takes every second image.

    ``mixup``: α of the Beta(α, α) that the weight of an image in a sum of two is drawn from
    (Zhang et al. 2018, section 2); 0 for no Mixup.
    ``cutmix``: α of the Beta(α, α) that the area is drawn from which an image keeps, the rest being
    a rectangle of the partner's (Yun et al. 2019, equations 1 and 2); 0 for no CutMix.
    ``share``: of the images that are mixed at all.
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    share: float = 1.0

    def __post_init__(self) -> None:
        for key in ("mixup", "cutmix"):
            if not 0 <= getattr(self, key) <= 100:
                raise DataError(f"mix {key} {getattr(self, key)} is no alpha; use 0 (none) to 100")
        if not 0 <= self.share <= 1:
            raise DataError(f"mix share {self.share} is no share; use 0 to 1")

    @property
    def any(self) -> bool:
        """Whether an image is mixed at all."""
        return self.share > 0 and (self.mixup > 0 or self.cutmix > 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixed:
    """The other part of a mixed batch's targets: the partners' ``labels`` (n,) int64, and the
    ``share`` (n,) float32 of each image itself, 1 where it was left as it was.
    """

    labels: Indices
    share: NDArray[np.float32]


def partners(keys: Words, *, seed: int, epoch: int) -> Indices:
    """For each of a batch's samples, by their ``keys`` (N,), the place of its partner (N,)."""
    places = np.lexsort((keys, bits(seed, "mix.partner", epoch, keys)))
    found = np.empty(len(keys), dtype=np.int64)
    found[places] = np.roll(places, -1)
    return found


def mix_in(
    pixels: Pixels, others: Pixels, keys: Words, mix: Mix, *, seed: int, epoch: int
) -> tuple[Pixels, NDArray[np.float32]]:
    """``pixels`` (n, C, H, W) with ``others``' in them, a new array, and each image's own share."""
    chosen = uniform(seed, "mix.share", epoch, keys) < mix.share
    halves = uniform(seed, "mix.kind", epoch, keys) < 0.5
    cuts = chosen & (halves if mix.mixup else True) & (mix.cutmix > 0)
    sums = chosen & ~cuts & (mix.mixup > 0)
    share = np.ones(len(keys), dtype=np.float64)
    if sums.any():
        own = np.rint(PARTS * beta(mix.mixup, keys, "mix.mixup", seed=seed, epoch=epoch))
        share[sums] = own[sums] / PARTS
        pixels = _summed(pixels, others, np.where(sums, own, PARTS).astype(np.int64))
    else:
        pixels = pixels.copy()
    if cuts.any():
        kept = beta(mix.cutmix, keys, "mix.cutmix", seed=seed, epoch=epoch)
        _cut_in(pixels, others, np.flatnonzero(cuts), kept, share, keys, seed=seed, epoch=epoch)
    return pixels, share.astype(np.float32)


def _summed(pixels: Pixels, others: Pixels, own: Indices) -> Pixels:
    """own/256 of an image and the rest of its partner, rounded to the nearest whole number."""
    wide = np.uint16 if pixels.dtype == np.uint8 else np.uint32  # 255 · 256 + 128 fits in 16 bits
    weights = own.astype(wide).reshape(-1, 1, 1, 1)
    total = pixels * weights
    total += others * (wide(PARTS) - weights)
    total += wide(PARTS // 2)
    total >>= wide(8)
    return total.astype(pixels.dtype)


def _cut_in(
    pixels: Pixels,
    others: Pixels,
    places: Indices,
    kept: NDArray[np.float64],
    share: NDArray[np.float64],
    keys: Words,
    *,
    seed: int,
    epoch: int,
) -> None:
    """Put a rectangle of the partner into the images at ``places``; ``share`` gets what is left.

    The rectangle has the image's shape and 1 − ``kept`` of its area, its centre is anywhere, and
    what sticks out is cut off.
    """
    height, width = pixels.shape[2:]
    sides = np.sqrt(1 - kept)
    down = uniform(seed, "mix.cut.y", epoch, keys)
    right = uniform(seed, "mix.cut.x", epoch, keys)
    for i in places.tolist():
        tall, wide = round(height * sides[i]), round(width * sides[i])
        top, left = int(down[i] * height) - tall // 2, int(right[i] * width) - wide // 2
        rows = slice(max(0, top), max(0, min(height, top + tall)))
        columns = slice(max(0, left), max(0, min(width, left + wide)))
        pixels[i, :, rows, columns] = others[i, :, rows, columns]
        area = (rows.stop - rows.start) * (columns.stop - columns.start)
        share[i] = 1 - area / (height * width)


def beta(alpha: float, keys: Words, purpose: str, *, seed: int, epoch: int) -> NDArray[np.float64]:
    """A Beta(α, α) variate in [0, 1] for each of ``keys``: x / (x + y) of two Gamma variates."""
    x = _log_gamma(alpha, keys, f"{purpose}.x", seed=seed, epoch=epoch)
    y = _log_gamma(alpha, keys, f"{purpose}.y", seed=seed, epoch=epoch)
    # As a difference of logarithms: for a small α both variates may be too small for a double.
    return 1 / (1 + np.exp(np.clip(y - x, -700, 700)))


def _log_gamma(
    alpha: float, keys: Words, purpose: str, *, seed: int, epoch: int
) -> NDArray[np.float64]:
    """The logarithm of a Gamma(α, 1) variate for each of ``keys``.

    Marsaglia and Tsang 2000, "A simple method for generating gamma variables", with section 6's
    step from α + 1 to α; each attempt has uniforms of its own, keyed by its number.
    """
    d = alpha + 1 - 1 / 3
    c = 1 / np.sqrt(9 * d)
    out = np.empty(len(keys))
    left = np.arange(len(keys))
    attempt = 0
    while len(left):
        key = (epoch, keys[left], attempt)
        radius = np.sqrt(-2 * np.log1p(-uniform(seed, f"{purpose}.radius", *key)))
        normal = radius * np.cos(2 * np.pi * uniform(seed, f"{purpose}.angle", *key))
        cube = (1 + c * normal) ** 3
        with np.errstate(invalid="ignore", divide="ignore"):
            bound = 0.5 * normal**2 + d - d * cube + d * np.log(cube)
            taken = np.log(uniform(seed, f"{purpose}.accept", *key)) < bound
        taken &= cube > 0
        out[left[taken]] = np.log(d * cube[taken])
        left = left[~taken]
        attempt += 1
    return out + np.log1p(-uniform(seed, f"{purpose}.power", epoch, keys)) / alpha
