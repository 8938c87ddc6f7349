"""Exact figures of a split's pixels: counts of every value, and from them mean and deviation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from striate.data.options import Indices, Pixels

_CHUNK_PIXELS = 1 << 24


def histogram(
    read: Callable[[Indices], Pixels], count: int, shape: Sequence[int]
) -> NDArray[np.int64]:
    """(C, values) counts of every pixel value over ``count`` images of ``shape`` (C, H, W)."""
    channels = shape[0]
    step = max(1, _CHUNK_PIXELS // math.prod(shape))
    counts: NDArray[np.int64] | None = None
    for start in range(0, count, step):
        pixels = read(np.arange(start, min(count, start + step)))
        if counts is None:
            counts = np.zeros((channels, np.iinfo(pixels.dtype).max + 1), dtype=np.int64)
        for channel in range(channels):
            flat = pixels[:, channel].reshape(-1)
            counts[channel] += np.bincount(flat, minlength=counts.shape[1])
    assert counts is not None, "a split without images has no histogram"
    return counts


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
