"""Exact counts, and mean and deviation from them, against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from striate.data.statistics import count_values, mean_and_deviation


@pytest.mark.parametrize(("kind", "scale"), [(np.uint8, 255.0), (np.uint16, 65535.0)])
def test_mean_and_deviation_are_those_of_exact_arithmetic(kind: Any, scale: float) -> None:
    top = int(np.iinfo(kind).max)
    pixels = np.random.default_rng(0).integers(0, top + 1, (11, 3, 5, 7)).astype(kind)
    counts = count_values(pixels)
    assert counts.shape == (3, top + 1)
    assert (counts.sum(axis=1) == 11 * 5 * 7).all()
    means, deviations = mean_and_deviation(counts, scale)
    for channel in range(3):
        values = [Fraction(int(v)) for v in pixels[:, channel].ravel()]
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / len(values)
        assert means[channel] == pytest.approx(float(mean / top), rel=1e-15)
        assert deviations[channel] == pytest.approx(math.sqrt(variance) / top, rel=1e-15)


def test_batching_does_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (50, 1, 9, 9), dtype=np.uint8)
    whole = count_values(pixels)
    monkeypatch.setattr("striate.data.statistics._CHUNK_PIXELS", 100)
    np.testing.assert_array_equal(count_values(pixels), whole)
    np.testing.assert_array_equal(
        count_values(pixels[::-1][:20]) + count_values(pixels[:30]), whole
    )


def test_a_constant_channel_has_no_deviation() -> None:
    means, deviations = mean_and_deviation(count_values(np.full((4, 1, 3, 3), 51, np.uint8)), 255)
    assert means == [0.2]
    assert deviations == [0.0]
