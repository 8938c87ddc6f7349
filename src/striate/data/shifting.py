"""Many images, each moved by its own number of pixels, with no loop over the images."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from striate.data.options import Indices, Pixels


def shift(pixels: Pixels, down: Indices, right: Indices, reach: int) -> None:
    """Make image i a window of its own size in itself, grown by ``reach`` on all sides.

    ``pixels`` (N, C, H, W) in one piece, whose sides exceed ``reach``; what it is grown by is its
    reflection about the edge pixel.  ``down``, ``right`` (N,): the window's first row and column
    there, from 0 to 2 · ``reach``.
    """
    if 2 * reach < pixels.shape[3]:
        _by_rows(pixels, down, right, reach)
    else:
        margin = (reach, reach)
        grown = np.pad(pixels, ((0, 0), (0, 0), margin, margin), mode="reflect")
        windows = sliding_window_view(grown, pixels.shape[2:], axis=(2, 3))
        pixels[:] = windows[np.arange(len(pixels)), :, down, right]


def _by_rows(pixels: Pixels, down: Indices, right: Indices, reach: int) -> None:
    """Rows are fetched whole, from the pixels as they lie in memory.

    A row that begins beside its own row's begin ends in its neighbour's: those columns are
    written anew, from the row's other columns.
    """
    channels, height, width = map(int, pixels.shape[1:])
    by_column = np.argsort(right, kind="stable")  # images of one shift side by side
    down, right = down[by_column], right[by_column]
    flat = np.empty(pixels.size + 2 * reach, dtype=pixels.dtype)  # room beyond both ends
    flat[reach : reach + pixels.size] = pixels.reshape(-1)
    wide = pixels.dtype.itemsize
    rows = np.ndarray(
        (flat.size - width + 1,), dtype=f"V{width * wide}", buffer=flat, strides=(wide,)
    )
    row = np.abs((down - reach)[:, None] + np.arange(height))
    row = np.minimum(row, 2 * (height - 1) - row)
    plane = by_column[:, None] * channels + np.arange(channels)
    first = (plane[:, :, None] * height + row[:, None, :]) * width + right[:, None, None]
    moved = rows[first].view(pixels.dtype).reshape(pixels.shape)
    ends = np.searchsorted(right, np.arange(2 * reach + 2))
    for by in range(1, reach + 1):
        to_right = moved[ends[reach - by] : ends[reach - by + 1]]
        to_left = moved[ends[reach + by] : ends[reach + by + 1]]
        for beyond in range(1, by + 1):
            to_right[..., by - beyond] = to_right[..., by + beyond]
            to_left[..., width - 1 - by + beyond] = to_left[..., width - 1 - by - beyond]
    pixels[by_column] = moved
