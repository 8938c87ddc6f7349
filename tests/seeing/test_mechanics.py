"""Mechanics against torch's conv2d, and against the chapter's own figure."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.errors import InputError
from striate.seeing import convolve, example_image, named_kernel

SOBEL_X = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
CHAPTER = "-1·0 + 0·0 + 1·9 + -2·0 + 0·0 + 2·9 + -1·0 + 0·0 + 1·9 = 36"


def test_the_chapters_figure() -> None:
    seen = convolve(example_image(), named_kernel("sobel-x").weights)
    assert seen.output.tolist() == [[36, 36, 0]] * 3
    first = seen.at(0, 0)
    assert first.text == CHAPTER
    assert first.sum == 36
    assert first.products[0].tolist() == [[0, 0, 9], [0, 0, 18], [0, 0, 9]]
    assert seen.at(2, 2).text.endswith("= 0")


def test_the_chapters_facts(shared: Path) -> None:
    claims = json.loads((shared / "facts/chapter.json").read_text())["claims"]
    first = convolve(example_image(), SOBEL_X).at(0, 0)
    assert first.sum == claims["sobel-x on the chapter's 5x5 image at (0,0)"]
    large = np.zeros((224, 224))
    assert SOBEL_X.size == claims["3x3 filter weights"]
    same = convolve(large, SOBEL_X, padding=1)
    assert same.positions == claims["3x3 filter positions on 224x224 (same padding)"]
    assert same.output.shape == (claims["224 stride 1 same"],) * 2
    halved = convolve(large, SOBEL_X, padding=1, stride=2)
    assert halved.output.shape == (claims["224 stride 2 same"],) * 2


sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))


@settings(deadline=None, max_examples=200)
@given(
    data=st.data(),
    channels=st.integers(1, 4),
    size=sizes,
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    whole=st.booleans(),
    true=st.booleans(),
)
def test_equals_conv2d(data, channels, size, kernel, stride, padding, dilation, whole, true):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    if whole:
        image = rng.integers(-255, 256, (channels, *size))
        weights = rng.integers(-9, 10, (channels, *kernel))
    else:
        image, weights = rng.normal(size=(channels, *size)), rng.normal(size=(channels, *kernel))
    spans = [dilation[a] * (kernel[a] - 1) + 1 for a in (0, 1)]
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    if any(spans[a] > size[a] + 2 * padding[a] for a in (0, 1)):
        with pytest.raises(InputError, match="the kernel spans"):
            convolve(image, weights, **options)
        return
    seen = convolve(image, weights, **options, true_convolution=true)
    turned = torch.from_numpy(weights).double().flip(1, 2) if true else torch.from_numpy(weights)
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(image).double()[None], turned.double()[None], **options
    )[0, 0].numpy()
    assert seen.output.shape == expected.shape
    np.testing.assert_allclose(seen.output, expected, rtol=1e-12, atol=1e-12)
    if whole:
        assert seen.output.dtype == np.int64
        assert (seen.output == expected).all()

    row = data.draw(st.integers(0, seen.output.shape[0] - 1))
    col = data.draw(st.integers(0, seen.output.shape[1] - 1))
    at = seen.at(row, col)
    assert at.sum == seen.output[row, col]
    np.testing.assert_allclose(at.products.sum(), expected[row, col], rtol=1e-12, atol=1e-12)
    padded = np.pad(image, ((0, 0), (padding[0],) * 2, (padding[1],) * 2))
    for i, r in enumerate(at.rows):
        for j, c in enumerate(at.cols):
            inside = 0 <= r < size[0] and 0 <= c < size[1]
            values = image[:, r, c] if inside else np.zeros(channels)
            assert (at.patch[:, i, j] == values).all()
            assert (padded[:, r + padding[0], c + padding[1]] == values).all()
    assert at.text.count("·") == channels * kernel[0] * kernel[1]


def test_one_kernel_serves_every_channel() -> None:
    image = np.arange(3 * 25).reshape(3, 5, 5)
    parts = sum(convolve(plane, SOBEL_X).output for plane in image)
    assert (convolve(image, SOBEL_X).output == parts).all()


def test_true_convolution_turns_the_kernel() -> None:
    turned = convolve(example_image(), SOBEL_X, true_convolution=True)
    assert turned.output.tolist() == [[-36, -36, 0]] * 3
    assert turned.at(0, 0).text.startswith("1·0 + 0·0 + -1·9")


def test_padding_is_told_by_rows_outside_the_image() -> None:
    at = convolve(example_image(), SOBEL_X, padding=1, stride=2, dilation=2).at(0, 0)
    assert at.rows == (-1, 1, 3)
    assert at.cols == (-1, 1, 3)
    assert at.patch[0].tolist() == [[0, 0, 0], [0, 0, 9], [0, 0, 9]]


def test_integers_stay_whole_and_floats_have_four_digits() -> None:
    gaussian = convolve(example_image() / 7, named_kernel("gaussian").weights).at(0, 0)
    assert gaussian.text == (
        "0.0625·0 + 0.125·0 + 0.0625·1.286 + 0.125·0 + 0.25·0 + 0.125·1.286 + 0.0625·0 + 0.125·0"
        " + 0.0625·1.286 = 0.3214"
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: convolve(example_image(), SOBEL_X).at(3, 0),
            "position (3, 0) is outside the 3×3 output; rows go from 0 to 2, columns from 0 to 2",
        ),
        (lambda: convolve(example_image(), SOBEL_X).at(0, -1), "position (0, -1) is outside"),
        (
            lambda: convolve(np.ones((2, 2)), SOBEL_X),
            "the kernel spans 3×3 pixels and the padded image has 2×2; use a smaller kernel or",
        ),
        (lambda: convolve(example_image(), SOBEL_X, dilation=3), "the kernel spans 7×7 pixels"),
        (lambda: convolve(np.ones(4), SOBEL_X), "the image has shape 4; give (height, width)"),
        (lambda: convolve(np.ones((0, 4)), SOBEL_X), "the image has shape 0×4"),
        (
            lambda: convolve(np.ones((3, 5, 5)), np.ones((2, 3, 3))),
            "the kernel has 2 channels and the image has 3",
        ),
        (lambda: convolve(np.full((5, 5), np.nan), SOBEL_X), "the image holds NaN or infinity"),
        (lambda: convolve(example_image(), SOBEL_X, stride=0), "stride 0 is too small; use 1"),
        (lambda: convolve(example_image(), SOBEL_X, padding=-1), "padding -1 is too small; use 0"),
        (lambda: convolve(example_image() * 1j, SOBEL_X), "the image holds complex128"),
    ],
)
def test_wrong_input_is_one_line(call, message) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_json_carries_everything() -> None:
    seen = convolve(example_image(), SOBEL_X)
    document = json.loads(json.dumps({**seen.as_json(), "at": seen.at(0, 0).as_json()}))
    assert document["output"] == [[36, 36, 0]] * 3
    assert document["at"]["text"] == CHAPTER
    assert document["image_shape"] == [1, 5, 5]


def test_no_torch_is_loaded() -> None:
    code = "import sys, striate.seeing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
