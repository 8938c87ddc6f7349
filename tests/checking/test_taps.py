"""The oracle is the gradient: a dead tap gets none, and an unread pixel gives none."""

from __future__ import annotations

import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn.functional import conv1d

from striate.checking.taps import live_taps, read

WINDOW = {
    "kernel": st.integers(1, 7),
    "stride": st.integers(1, 5),
    "padding": st.integers(0, 4),
    "dilation": st.integers(1, 3),
}


def _gradients(
    length: int, kernel: int, stride: int, padding: int, dilation: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the sum of all outputs: with respect to the taps, and to the pixels."""
    image = torch.ones(1, 1, length, requires_grad=True)
    weight = torch.ones(1, 1, kernel, requires_grad=True)
    conv1d(image, weight, stride=stride, padding=padding, dilation=dilation).sum().backward()
    assert weight.grad is not None
    assert image.grad is not None
    return weight.grad.flatten(), image.grad.flatten()


@given(length=st.integers(1, 9), **WINDOW)
def test_live_taps_are_those_with_a_gradient(
    length: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    assume(length + 2 * padding >= dilation * (kernel - 1) + 1)
    taps, _ = _gradients(length, kernel, stride, padding, dilation)
    live = live_taps(length, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    assert live == int((taps != 0).sum())


@given(**WINDOW)
def test_read_pixels_are_those_that_give_a_gradient(
    kernel: int, stride: int, padding: int, dilation: int
) -> None:
    span = dilation * (kernel - 1) + 1
    length = 4 * span * stride
    _, pixels = _gradients(length, kernel, stride, padding, dilation)
    seen = read(length, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    inside = slice(span, length - span - stride)
    assert seen[inside].tolist() == (pixels[inside] != 0).tolist()


def test_a_3x3_on_one_pixel_has_one_live_tap_an_axis() -> None:
    assert live_taps(1, kernel=3, stride=1, padding=1, dilation=1) == 1
    assert live_taps(2, kernel=3, stride=1, padding=1, dilation=1) == 3
    assert live_taps(2, kernel=3, stride=2, padding=1, dilation=1) == 2


def test_a_1x1_with_stride_2_reads_every_other_pixel() -> None:
    assert read(5, kernel=1, stride=2, padding=0, dilation=1).tolist() == [
        True, False, True, False, True,
    ]  # fmt: skip
