"""Shifts of many images at once, against numpy's own padding, image by image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from striate.data.shifting import shift


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("shape", "reach"), [((3, 8, 8), 1), ((3, 9, 7), 4), ((1, 5, 12), 4), ((2, 4, 3), 2)]
)
def test_every_shift_is_a_window_of_the_reflected_image(
    dtype: Any, shape: tuple[int, int, int], reach: int
) -> None:
    height, width = shape[1:]
    places = [(y, x) for y in range(2 * reach + 1) for x in range(2 * reach + 1)]
    rng = np.random.default_rng(0)
    order = rng.permutation(len(places))
    down, right = np.array(places, dtype=np.int64)[order].T
    pixels = rng.integers(0, np.iinfo(dtype).max, (len(places), *shape), dtype=dtype)
    out = pixels.copy()
    shift(out, down, right, reach)
    margin = (reach, reach)
    for image, moved, top, left in zip(pixels, out, down, right, strict=True):
        padded = np.pad(image, ((0, 0), margin, margin), mode="reflect")
        np.testing.assert_array_equal(moved, padded[:, top : top + height, left : left + width])
