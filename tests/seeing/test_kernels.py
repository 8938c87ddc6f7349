"""The named kernels: what they are for, checked on images that have it."""

from __future__ import annotations

import numpy as np
import pytest

from striate.errors import InputError
from striate.seeing import convolve, kernel_names, named_kernel, read_kernel


def test_all_seven_are_there() -> None:
    assert kernel_names() == (
        "sobel-x", "sobel-y", "laplacian", "gaussian", "sharpen", "identity", "emboss",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "total"),
    [("sobel-x", 0), ("sobel-y", 0), ("laplacian", 0), ("gaussian", 1), ("sharpen", 1),
     ("identity", 1), ("emboss", 1)],
)  # fmt: skip
def test_what_each_makes_of_a_flat_image(name: str, total: int) -> None:
    assert (convolve(np.full((6, 6), 7), named_kernel(name).weights).output == 7 * total).all()


def test_what_each_answers_to() -> None:
    ramp = np.tile(np.arange(6), (6, 1))  # brightens to the right
    assert (convolve(ramp, named_kernel("sobel-x").weights).output > 0).all()
    assert (convolve(ramp, named_kernel("sobel-y").weights).output == 0).all()
    assert (convolve(ramp.T, named_kernel("sobel-y").weights).output > 0).all()
    assert (convolve(ramp, named_kernel("laplacian").weights).output == 0).all()
    assert (convolve(ramp**2, named_kernel("laplacian").weights).output == 2).all()
    assert (convolve(ramp, named_kernel("identity").weights).output == ramp[1:-1, 1:-1]).all()
    point = np.pad([[16]], 2)
    blurred = convolve(point, named_kernel("gaussian").weights, padding=1)
    assert blurred.output.sum() == 16
    difference = ramp**2 - convolve(ramp**2, named_kernel("laplacian").weights, padding=1).output
    sharpened = convolve(ramp**2, named_kernel("sharpen").weights, padding=1).output
    assert (sharpened == difference).all()


def test_a_kernel_written_out() -> None:
    assert read_kernel("1 0 -1; 2,0,-2; 1 0 -1").weights.tolist() == [
        [1, 0, -1],
        [2, 0, -2],
        [1, 0, -1],
    ]
    assert read_kernel("0.5").weights.tolist() == [[0.5]]
    assert read_kernel("sobel-x").name == "sobel-x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sobelx", "kernel 'sobelx' is unknown: did you mean sobel-x?"),
        (
            "wavy",
            "kernel 'wavy' is unknown: choose from sobel-x, sobel-y, laplacian, gaussian, sharpen,",
        ),
        ("1 2; 3", "kernel '1 2; 3': its rows have 2, 1 numbers; give every row equally many"),
        ("1 2;", "kernel '1 2;': its rows have 2, 0 numbers; give every row equally many"),
        ("1 x; 2 2", "kernel '1 x; 2 2': row 1 ('1 x') is not numbers"),
        ("1e999", "kernel '1e999' holds a number that is not finite; use finite weights"),
    ],
)
def test_wrong_kernels_are_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_kernel(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
