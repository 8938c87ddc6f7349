"""The page's own numbers against published values and plain sums."""

from __future__ import annotations

import numpy as np
import pytest

from striate.records import Evaluation
from striate.reporting.measures import (
    class_order,
    class_scores,
    commonest_share,
    confused_pairs,
    reliability,
    wilson,
)


def test_wilson_matches_the_published_examples() -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    for right, total, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson(right, total) == pytest.approx((low, high), abs=5e-5)
    assert wilson(20, 20)[1] == 1.0
    assert wilson(0, 0) == (0.0, 1.0)


def _evaluation() -> Evaluation:
    probabilities = np.array(
        [[0.9, 0.1, 0.0], [0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0]],
        np.float32,
    )
    labels = np.array([0, 1, 1, 1, 0])
    confusion = np.zeros((3, 3), np.int64)
    np.add.at(confusion, (labels, probabilities.argmax(axis=1)), 1)
    return Evaluation(
        split="test", classes=("a", "b", "c"), probabilities=probabilities, labels=labels,
        accuracy=0.6, loss=1.0, ece=0.0, confusion=confusion,
    )  # fmt: skip


def test_bins_hold_every_image_once() -> None:
    bins = reliability(_evaluation(), bins=4)
    assert [(b.high, b.count, b.accuracy) for b in bins] == [
        (0.5, 1, 0.0),
        (0.75, 1, 1.0),
        (1.0, 3, pytest.approx(2 / 3)),
    ]
    for part in bins:
        assert part.low < part.confidence <= part.high + 1e-9


def test_the_bins_add_up_to_the_calibration_error(make_report) -> None:
    evaluation = make_report().evaluation
    bins = reliability(evaluation)
    error = sum(b.count * abs(b.confidence - b.accuracy) for b in bins) / len(evaluation)
    assert error == pytest.approx(evaluation.ece, abs=1e-6)


def test_scores_and_pairs() -> None:
    evaluation = _evaluation()
    scores = class_scores(evaluation)
    assert [(s.name, s.right, s.total, s.said) for s in scores] == [
        ("a", 2, 2, 4), ("b", 1, 3, 1), ("c", 0, 0, 0),
    ]  # fmt: skip
    pairs = confused_pairs(evaluation, 5)
    assert [(p.true, p.said, p.count) for p in pairs] == [("b", "a", 2)]
    assert pairs[0].share == pytest.approx(2 / 3)
    assert commonest_share(evaluation) == pytest.approx(3 / 5)


def test_the_order_puts_confused_classes_together() -> None:
    # Two groups whose members are confused among themselves alone, interleaved.
    confusion = np.diag([50] * 8)
    groups = ([0, 2, 4, 6], [1, 3, 5, 7])
    for group in groups:
        for a in group:
            for b in group:
                if a != b:
                    confusion[a, b] = 5
    order = class_order(confusion)
    assert sorted(order) == list(range(8))
    assert {frozenset(order[:4]), frozenset(order[4:])} == {frozenset(g) for g in groups}
    assert class_order(np.zeros((3, 3), np.int64)) is not None
