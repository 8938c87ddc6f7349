"""Exact figures of a split's pixels: counts of every value, and from them mean and deviation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from striate.data.options import Pixels

_CHUNK_PIXELS = 1 << 24


def count_values(pixels: Pixels) -> NDArray[np.int64]:
    """(C, values) how often each pixel value occurs in ``pixels`` (N, C, H, W)."""
    channels = pixels.shape[1]
    values = int(np.iinfo(pixels.dtype).max) + 1
    counts = np.zeros((channels, values), dtype=np.int64)
    step = images_at_once(pixels.shape[1:])
    for start in range(0, len(pixels), step):
        for channel in range(channels):
            # bincount works on 8-byte integers, so on some of the images at a time.
            flat = pixels[start : start + step, channel].reshape(-1)
            counts[channel] += np.bincount(flat, minlength=values)
    return counts


def images_at_once(shape: Sequence[int]) -> int:
    """How many images of ``shape`` (C, H, W) are worked on at a time: 16 million values."""
    return max(1, _CHUNK_PIXELS // math.prod(shape))


def mean_and_deviation(counts: NDArray[np.int64], scale: float) -> tuple[list[float], list[float]]:
    """Mean and population standard deviation per channel, of pixels divided by ``scale``.

    From exact integer sums, so neither order nor batching can change a bit.  A channel that is
    constant has the deviation 0.
    """
    means: list[float] = []
    deviations: list[float] = []
    for row in counts:
        values = [(value, int(row[value])) for value in np.flatnonzero(row).tolist()]
        n = sum(times for _, times in values)
        total = sum(value * times for value, times in values)
        squares = sum(value * value * times for value, times in values)
        means.append(total / (n * scale))
        deviations.append(math.sqrt((n * squares - total * total) / (n * n)) / scale)
    return means, deviations
