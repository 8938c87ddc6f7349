"""What an image looks like, in 64 bits and in 16×16 levels, so that near copies can be found.

A perceptual hash: the gray image at 32×32, its two-dimensional cosine transform, and of the 64
lowest frequencies (the mean left out) one bit each, whether the coefficient is clearly above their
median (after Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions",
section 3.2.1, who takes a square of frequencies; a triangle has more of the low ones).  A copy that
was compressed, brightened or brought to another size differs in few bits, and so may a stranger:
the 16×16 levels decide, by their correlation.  Colour, a flip and a crop are not seen through.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from striate.data.fitting import resize, to_channels
from striate.data.options import Pixels, Words

SIDE = 32
"""Side of the gray image that is transformed."""
BITS = 64
LEVELS = 16
"""Side of the levels that are kept for the second look."""
EVEN = 1.0
"""An image whose gray values at 32×32 deviate by less, in levels of 255, shows nothing to hash."""

MARGIN = 0.05
"""A bit is set where its coefficient exceeds the median by this share of their root mean square."""

Signature = NDArray[np.int8]
"""(n, 256) levels of an image, its mean at 0 and 32 units to a standard deviation."""

_UNITS = 32


def thumbnail(image: Pixels, scale: float) -> NDArray[np.float32]:
    """``image`` (C, h, w), of pixels from 0 to ``scale``, gray at 32×32 in levels of 255.

    Of images that have neither 1 nor 3 channels, the channels' mean is taken.
    """
    channels, height, width = image.shape
    if channels == 3:
        image = to_channels(image, 1)
    elif channels != 1:
        image = np.floor(image.mean(axis=0, keepdims=True) + 0.5).astype(image.dtype)
    small = resize(image, (SIDE, SIDE), (0, 0, height, width))[0]
    return small.astype(np.float32) * np.float32(255 / scale)


def signatures(thumbnails: NDArray[np.float32]) -> tuple[Words, Signature, NDArray[np.bool_]]:
    """Hashes (n,), levels (n, 256), and which images are even, of thumbnails (n, 32, 32)."""
    transform = _cosines()
    coefficients = transform @ thumbnails.astype(np.float64) @ transform.T
    lowest = coefficients[:, _LOWEST[:, 0], _LOWEST[:, 1]]
    # A drawing has many coefficients of nearly nothing, whose side of the median is chance.
    margin = MARGIN * np.sqrt(np.square(lowest).mean(axis=1, keepdims=True))
    above = lowest > np.median(lowest, axis=1, keepdims=True) + margin
    words = (above.astype(np.uint64) << np.arange(BITS, dtype=np.uint64)).sum(axis=1)
    step = SIDE // LEVELS
    levels = thumbnails.reshape(-1, LEVELS, step, LEVELS, step).mean(axis=(2, 4))
    flat = levels.reshape(len(levels), -1) - levels.mean(axis=(1, 2))[:, None]
    even = thumbnails.std(axis=(1, 2)) < EVEN
    deviation = flat.std(axis=1, keepdims=True)
    units = flat * (_UNITS / np.maximum(deviation, 1e-6))
    # 256 levels can hold one that lies 16 deviations out; its correlation is then approximate.
    kept = np.clip(np.rint(units), -127, 127).astype(np.int8)
    return words.astype(np.uint64), kept, even | (deviation[:, 0] < EVEN / 4)


def correlations(first: Signature, second: Signature) -> NDArray[np.float32]:
    """Pearson's r of the levels, pair by pair: (n,) of two (n, 256)."""
    one, two = first.astype(np.float32), second.astype(np.float32)
    one -= one.mean(axis=1, keepdims=True)
    two -= two.mean(axis=1, keepdims=True)
    size = np.sqrt((one * one).sum(axis=1) * (two * two).sum(axis=1))
    return (one * two).sum(axis=1) / np.maximum(size, np.float32(1e-6))


def _cosines() -> NDArray[np.float64]:
    """The orthonormal DCT-II of 32 values as a matrix; its first 11 rows hold all that is used."""
    place = (2 * np.arange(SIDE) + 1) * np.pi / (2 * SIDE)
    rows = np.cos(np.arange(_REACH)[:, None] * place) * np.sqrt(2 / SIDE)
    rows[0] /= np.sqrt(2)
    return rows


def _lowest() -> NDArray[np.int64]:
    """(64, 2) the frequencies nearest to none, by their sum, then by how far they are from a
    diagonal; the mean, (0, 0), is none of them.
    """
    every = [(u, v) for u in range(SIDE) for v in range(SIDE) if u + v]
    every.sort(key=lambda pair: (sum(pair), abs(pair[0] - pair[1]), pair))
    return np.array(every[:BITS], dtype=np.int64)


_LOWEST = _lowest()
_REACH = int(_LOWEST.max()) + 1
