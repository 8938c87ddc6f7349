"""Expected calibration error against a sum written out sample by sample."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.runs import at_temperature, expected_calibration_error, fit_temperature


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


def drawn(seed: int, count: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from their softmax: the true temperature is 1."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (count, classes))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    odds /= odds.sum(axis=1, keepdims=True)
    labels = (odds.cumsum(axis=1) < random.random((count, 1))).sum(axis=1)
    return logits, labels


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_a_temperature_that_was_put_in_is_found(factor: float) -> None:
    logits, labels = drawn(0, 20_000, 5)
    found = fit_temperature(factor * logits, labels)
    assert found == pytest.approx(factor, rel=0.03)


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(2, 6))
def test_no_temperature_has_a_lower_cross_entropy(seed: int, count: int, classes: int) -> None:
    logits, labels = drawn(seed, count, classes)
    found = fit_temperature(logits, labels)

    def cost(temperature: float) -> float:
        """Platt's targets, sample by sample."""
        total = 0.0
        for row, label in zip(logits / temperature, labels, strict=True):
            logs = row - row.max() - math.log(sum(math.exp(v - row.max()) for v in row))
            rival = max(float(v) for k, v in enumerate(logs) if k != label)
            share = 1 / (count + 2)
            total -= (1 - share) * float(logs[label]) + share * rival
        return total / count

    tried = [float(t) for t in np.geomspace(0.02, 200, 60)]
    if found is None:
        assert min(map(cost, tried)) == pytest.approx(cost(200), abs=1e-9)
    else:
        assert cost(found) <= min(map(cost, tried)) + 1e-9


def test_a_network_without_a_mistake_is_not_told_to_be_certain() -> None:
    right = fit_temperature(6 * np.eye(3), np.arange(3))
    assert right is not None
    confidence = at_temperature(6 * np.eye(3), right).max(axis=1)
    # two classes share what three images and one further mistake leave: 1/5 to each rival, which
    # is the likelier of the other two, and ties with the third: e^m / (e^m + 2) where
    # 2·e^0 / (e^m + 2) is what the cross-entropy of the targets (4/5, 1/5) asks of the margin m
    assert confidence == pytest.approx(np.full(3, 0.8), abs=1e-6)
    more = fit_temperature(np.tile(6 * np.eye(3), (100, 1)), np.tile(np.arange(3), 100))
    assert more is not None
    assert more < right


def test_what_cannot_be_calibrated_is_not() -> None:
    logits, labels = drawn(1, 500, 4)
    assert fit_temperature(-logits, labels) is None  # worse than chance
    assert fit_temperature(np.zeros((5, 4)), np.zeros(5, int)) is None
    assert fit_temperature(np.zeros((0, 4)), np.zeros(0, int)) is None


def test_temperature_leaves_the_order_of_the_classes_alone() -> None:
    logits, _ = drawn(2, 50, 7)
    for temperature in (0.1, 1.0, 30.0):
        same = at_temperature(logits, temperature)
        assert (same.argmax(axis=1) == logits.argmax(axis=1)).all()
        assert same.sum(axis=1) == pytest.approx(np.ones(50), abs=1e-6)
