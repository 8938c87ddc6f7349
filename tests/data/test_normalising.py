"""Pixels to floats."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from striate.data import normalise


@pytest.mark.parametrize(("kind", "scale"), [(np.uint8, 255.0), (np.uint16, 65535.0)])
def test_it_is_the_formula(kind: type, scale: float) -> None:
    pixels = np.random.default_rng(0).integers(0, int(scale) + 1, (4, 3, 5, 6)).astype(kind)
    mean, std = (0.1, 0.5, 0.9), (0.2, 0.3, 1.0)
    out = normalise(torch.from_numpy(pixels), mean, std, scale)
    shape = (1, 3, 1, 1)
    exact = (pixels / scale - np.reshape(mean, shape)) / np.reshape(std, shape)
    assert out.dtype == torch.float32
    np.testing.assert_allclose(out.numpy(), exact, atol=2e-6)


def test_the_pixels_are_left_alone() -> None:
    pixels = torch.full((1, 1, 2, 2), 7, dtype=torch.uint8)
    normalise(pixels, (0.0,), (1.0,), 16.0)
    assert (pixels == 7).all()


def test_channels_must_meet() -> None:
    with pytest.raises(ValueError, match="3 channels met 1 means and 1 deviations"):
        normalise(torch.zeros(1, 3, 2, 2, dtype=torch.uint8), (0.0,), (1.0,), 255.0)
