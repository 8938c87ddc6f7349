"""Bringing images to a size: geometry, depth, and no clipping."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from striate.data import fit_image, to_channels
from striate.data.fitting import resize


def ramp(height: int, width: int, kind: Any = np.uint8) -> NDArray[Any]:
    """(1, h, w): every pixel is its column."""
    return np.broadcast_to(np.arange(width, dtype=kind), (1, height, width)).copy()


@pytest.mark.parametrize("policy", ["crop", "pad", "stretch"])
def test_an_image_of_the_right_size_comes_back_as_it_is(policy: Any) -> None:
    image = ramp(6, 9)
    assert fit_image(image, (6, 9), policy) is image


def test_crop_takes_the_middle() -> None:
    image = np.zeros((3, 10, 30), dtype=np.uint8)
    image[:, :, 10:20] = 200
    np.testing.assert_array_equal(fit_image(image, (10, 10), "crop"), 200)


def test_crop_brings_the_short_side_to_the_target() -> None:
    # Every 20 × 20 square has one value; after halving, the middle 2 × 1 squares remain.
    squares = np.array([[10, 20, 30, 40], [50, 60, 70, 80]], dtype=np.uint8)
    image = np.kron(squares, np.ones((20, 20), dtype=np.uint8))[None]
    small = fit_image(image, (20, 20), "crop")[0]
    assert small.shape == (20, 20)
    # Away from the seams, which the filter blends.
    np.testing.assert_array_equal(small[1:9, 1:9], 20)
    np.testing.assert_array_equal(small[12:19, 12:19], 70)


def test_pad_keeps_everything_between_zeros() -> None:
    image = np.full((1, 10, 20), 100, dtype=np.uint8)
    out = fit_image(image, (20, 20), "pad")[0]
    np.testing.assert_array_equal(out[5:15], 100)
    np.testing.assert_array_equal(out[:5], 0)
    np.testing.assert_array_equal(out[15:], 0)


def test_stretch_uses_the_whole_image() -> None:
    out = fit_image(ramp(10, 200), (10, 100), "stretch")[0, 0].astype(float)
    # Halving a ramp: pixel i is the mean of columns around 2i + 0.5 (ends aside).
    np.testing.assert_allclose(out[2:-2], 2 * np.arange(2, 98) + 0.5, atol=0.5)


def test_it_is_pillows_antialiased_bilinear() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (3, 37, 53), dtype=np.uint8)
    whole = Image.fromarray(image.transpose(1, 2, 0))
    expected = np.asarray(whole.resize((20, 16), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(
        fit_image(image, (16, 20), "stretch").transpose(1, 2, 0), expected
    )


def test_sixteen_bits_stay_sixteen_bits() -> None:
    deep = ramp(8, 4000, np.uint16)
    out = fit_image(deep, (8, 1000), "stretch")[0, 0].astype(float)
    assert out.dtype == float
    np.testing.assert_allclose(out[2:-2], 4 * np.arange(2, 998) + 1.5, atol=0.51)


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    target=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    channels=st.sampled_from([1, 3]),
    kind=st.sampled_from([np.uint8, np.uint16]),
    policy=st.sampled_from(["crop", "pad", "stretch"]),
    seed=st.integers(0, 99),
)
def test_any_size_any_policy(
    size: tuple[int, int],
    target: tuple[int, int],
    channels: int,
    kind: Any,
    policy: Any,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(50, 200, (channels, *size)).astype(kind)
    out = fit_image(image, target, policy)
    assert out.shape == (channels, *target)
    assert out.dtype == kind
    inside = out[out > 0] if policy == "pad" else out
    # No weight is negative, so nothing leaves the range of the image.
    assert inside.min() >= image.min()
    assert inside.max() <= image.max()


def test_a_box_that_sticks_out_by_a_rounding_error_is_accepted() -> None:
    image = ramp(7, 7)
    out = resize(image, (3, 3), (-1e-12, 0.0, 7 + 1e-12, 7.0))
    np.testing.assert_array_equal(out, resize(image, (3, 3), (0, 0, 7, 7)))


def test_gray_to_colour_and_back() -> None:
    rng = np.random.default_rng(1)
    colour = rng.integers(0, 256, (3, 20, 20), dtype=np.uint8)
    by_pillow = np.asarray(Image.fromarray(colour.transpose(1, 2, 0)).convert("L"))
    gray = to_channels(colour, 1)
    np.testing.assert_array_equal(gray[0], by_pillow)
    tripled = to_channels(gray, 3)
    assert (tripled == gray).all()
    np.testing.assert_array_equal(to_channels(tripled, 1), gray)


def test_luma_of_sixteen_bits() -> None:
    white = np.full((3, 1, 1), 65535, dtype=np.uint16)
    assert to_channels(white, 1).item() == 65535
    mixed = np.array([65535, 0, 0], dtype=np.uint16).reshape(3, 1, 1)
    assert to_channels(mixed, 1).item() == round(0.299 * 65535)
