"""Which taps of a kernel ever meet the map, and which pixels any tap ever meets; per axis."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(4096)
def live_taps(
    length: int, *, kernel: int, stride: int, padding: int, dilation: int, after: int | None = None
) -> int:
    """How many of the ``kernel`` taps fall on the map (not on padding) at some output position.

    Output i puts tap j on element ``i·stride − padding + j·dilation`` of ``length``.  ``after``:
    padding at the far edge, if it is another.
    """
    padded = length + padding + (padding if after is None else after)
    outputs = (padded - dilation * (kernel - 1) - 1) // stride + 1
    taps = np.arange(kernel) * dilation - padding
    spots = taps[:, None] + np.arange(max(outputs, 0)) * stride
    return int(((spots >= 0) & (spots < length)).any(axis=1).sum())


@lru_cache(4096)
def read(
    length: int, *, kernel: int, stride: int, padding: int, dilation: int
) -> NDArray[np.bool_]:
    """(length,) True where a tap falls at some position of an endless row of windows.

    The map's far edge, where the last window may stop short, is not this function's question.
    """
    seen = np.zeros(length, dtype=bool)
    for tap in range(kernel):
        seen[(tap * dilation - padding) % stride :: stride] = True
    seen.flags.writeable = False  # it is handed out again
    return seen


@lru_cache(4096)
def read_by(
    length: int, *, kernel: int, stride: int, padding: int, dilation: int, outputs: int
) -> NDArray[np.bool_]:
    """(length,) True where a tap falls at one of the first ``outputs`` positions."""
    taps = np.arange(kernel) * dilation - padding
    spots = (taps[:, None] + np.arange(outputs) * stride).ravel()
    seen = np.zeros(length, dtype=bool)
    seen[spots[(spots >= 0) & (spots < length)]] = True
    seen.flags.writeable = False  # it is handed out again
    return seen
