"""Strides at the far edge, against what torch's own windows read and make."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from striate.flow.strides import Window, collapsed, final_map, fits, fitting, unread, windows
from striate.tracing import trace

lengths = st.integers(1, 40)
kernels = st.integers(1, 7)
strides = st.integers(1, 5)
paddings = st.integers(0, 3)
dilations = st.integers(1, 3)


def window(k: int, s: int, p: int, d: int = 1, *, ceil: bool = False) -> Window:
    return Window(kernel=k, stride=s, before=p, after=p, dilation=d, ceil=ceil)


def read_by(n: int, k: int, s: int, p: int) -> torch.Tensor:
    """Which of n elements a convolution with positive weights has a gradient for."""
    x = torch.zeros(1, 1, n, requires_grad=True)
    F.conv1d(x, torch.ones(1, 1, k), stride=s, padding=p).sum().backward()
    assert x.grad is not None
    return x.grad[0, 0] > 0


@settings(max_examples=300, deadline=None)
@given(lengths, kernels, strides, paddings, dilations)
def test_unread_elements_have_no_gradient(n: int, k: int, s: int, p: int, d: int) -> None:
    made = window(k, s, p, d)
    assume(made.places(n) >= 1)
    # Elements between the taps of a dilated kernel are within its reach: a full one reads them.
    read = read_by(n, d * (k - 1) + 1, s, p)
    skipped = max(0, s - (d * (k - 1) + 1))
    if read.any():
        last = int(read.nonzero().max())
        assert made.unread(n) == max(0, n - 1 - last - skipped)
    assert (
        made.places(n)
        == F.conv1d(
            torch.zeros(1, 1, n), torch.ones(1, 1, k), stride=s, padding=p, dilation=d
        ).shape[-1]
    )


@settings(max_examples=300, deadline=None)
@given(lengths, kernels, strides, paddings, dilations)
def test_unread_is_the_remainder_less_the_padding(n: int, k: int, s: int, p: int, d: int) -> None:
    made = window(k, s, p, d)
    assume(made.places(n) >= 1)
    remainder = (n + 2 * p - d * (k - 1) - 1) % s
    assert made.unread(n) == max(0, remainder - p - max(0, s - made.reach))


@settings(max_examples=300, deadline=None)
@given(lengths, kernels, strides, st.integers(0, 3), st.integers(1, 2))
def test_places_of_pools_that_round_up(n: int, k: int, s: int, p: int, d: int) -> None:
    made = window(k, s, min(p, k // 2), d, ceil=True)
    try:
        real = F.max_pool1d(
            torch.zeros(1, 1, n), k, stride=s, padding=made.before, dilation=d, ceil_mode=True
        ).shape[-1]
    except RuntimeError:
        return
    assert made.places(n) == real


@settings(max_examples=200, deadline=None)
@given(lengths, kernels, strides, paddings, dilations)
def test_what_fits_reads_all_and_could_take_no_more(n: int, k: int, s: int, p: int, d: int) -> None:
    made = window(k, s, p, d)
    if made.fits(n):
        assert made.unread(n) == 0
        assert made.unread(n + 1) > 0 or made.places(n + 1) == made.places(n) + 1


@settings(max_examples=200, deadline=None)
@given(kernels, strides, paddings)
def test_one_length_in_every_stride_fits(k: int, s: int, p: int) -> None:
    """Of s lengths in a row exactly one fits, whatever the window."""
    made = window(k, s, p)
    begin = k + 2 * s
    assert sum(made.fits(n) for n in range(begin, begin + s)) == 1


def net(*parts: nn.Module) -> nn.Sequential:
    return nn.Sequential(*parts)


def test_windows_are_read_from_a_trace() -> None:
    traced = trace(
        net(
            nn.Conv2d(3, 4, (3, 5), stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.AdaptiveAvgPool2d(4),
            nn.ConvTranspose2d(4, 4, 2, stride=2),
        ),
        (3, 32, 32),
    )
    conv, pool, adaptive, up = (windows(layer) for layer in traced.layers[1:])
    assert conv == (
        Window(kernel=3, stride=2, before=1, after=1, dilation=1),
        Window(kernel=5, stride=1, before=0, after=0, dilation=2),
    )
    assert pool is not None
    assert pool[0].ceil
    assert adaptive is None
    assert up is None


def test_unread_rows_and_columns_of_a_network() -> None:
    """9 rows under a 2×2 pool leave one; 3×3 with stride 2 on 8 columns too."""
    traced = trace(net(nn.MaxPool2d((2, 1)), nn.Conv2d(3, 4, 3, stride=(1, 2))), (3, 9, 8))
    first, second = unread(traced)
    assert (first.path, first.map, first.rows, first.columns) == ("0", (9, 8), 1, 0)
    assert (second.path, second.map, second.rows, second.columns) == ("1", (4, 8), 0, 1)
    assert not fits(traced)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_sizes_that_fit_by_arithmetic_fit_when_traced(step: int) -> None:
    """Branches, sums and concatenations on the way."""

    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 4, 3, stride=step + 1)
            self.left = nn.Conv2d(4, 4, 3, stride=2, padding=1)
            self.right = nn.Conv2d(4, 4, 1, stride=2)
            self.last = nn.AvgPool2d(step)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = F.relu(self.first(x))
            left, right = self.left(x), self.right(x)
            return self.last(torch.cat([left + right, left], 1))

    sizes = range(32, 96)
    by_arithmetic = fitting(trace(Branches(), (3, 96, 96)), sizes)
    assert by_arithmetic == [n for n in sizes if fits(trace(Branches(), (3, n, n)))]
    assert len(by_arithmetic) == pytest.approx(64 / (2 * step * (step + 1)), abs=1)


def test_the_final_map_is_what_global_pooling_is_given() -> None:
    body = [nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    for end in (
        [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)],
        [nn.AvgPool2d(8), nn.Flatten(), nn.Linear(8, 2)],
        [nn.Flatten(), nn.Linear(512, 2)],
        [nn.Conv2d(8, 2, 1)],
    ):
        assert final_map(trace(net(*body, *end), (3, 32, 32))) == (8, 8)


def test_the_final_map_may_be_a_single_pixel() -> None:
    parts = [nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(3)]
    assert final_map(trace(net(*parts), (3, 2, 2))) == (1, 1)


def test_the_final_map_with_channels_last() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 24, 4, stride=4)
            self.mix = nn.Linear(24, 40)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.mix(self.patches(x).permute(0, 2, 3, 1))

    assert final_map(trace(Last(), (3, 32, 48))) == (8, 12)


def test_no_map_at_all() -> None:
    assert final_map(trace(net(nn.Flatten(), nn.Linear(48, 2)), (3, 4, 4))) == (4, 4)


def test_where_a_map_collapses() -> None:
    body = net(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(4), nn.Conv2d(4, 4, 3, padding=1))
    assert collapsed(trace(body, (3, 4, 4))) == "1"
    assert collapsed(trace(body, (3, 8, 8))) is None
    pointwise = net(nn.MaxPool2d(4), nn.Conv2d(3, 4, 1))
    assert collapsed(trace(pointwise, (3, 4, 4))) is None
