"""Expected calibration error against a sum written out sample by sample."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.runs import expected_calibration_error


def brute_force(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """Guo et al. 2017, equations 1 to 3, word for word."""
    members: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
    for row, label in zip(probabilities, labels, strict=True):
        guess = max(range(len(row)), key=lambda k: row[k])
        confidence = float(row[guess])
        for m in range(1, bins + 1):
            if (m - 1) / bins < confidence <= m / bins:
                members[m - 1].append((confidence, guess == label))
    total = 0.0
    for inside in members:
        if inside:
            accuracy = sum(right for _, right in inside) / len(inside)
            confidence = sum(c for c, _ in inside) / len(inside)
            total += len(inside) / len(labels) * abs(accuracy - confidence)
    return total


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(2, 12), st.integers(1, 20))
def test_equals_the_sum_written_out(seed: int, count: int, classes: int, bins: int) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(0, random.uniform(0.1, 6), (count, classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    probabilities = probabilities.astype(np.float32)
    labels = random.integers(0, classes, count)
    ours = expected_calibration_error(probabilities, labels, bins)
    assert ours == pytest.approx(brute_force(probabilities, labels, bins), abs=1e-7)


def test_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]], np.float32)
    # confidence 0.9 twice with one right: |0.5 − 0.9|·2/3; 0.6 once, right: |1 − 0.6|/3
    labels = np.array([0, 1, 0])
    expected = 0.4 * 2 / 3 + 0.4 / 3
    assert expected_calibration_error(probabilities, labels) == pytest.approx(expected, abs=1e-6)


def test_certain_and_right_is_calibrated() -> None:
    assert expected_calibration_error(np.eye(3, dtype=np.float32), np.arange(3)) == 0.0
    assert math.isnan(expected_calibration_error(np.zeros((0, 3), np.float32), np.zeros(0, int)))
