"""The loss with mixed targets and weighted classes, against sums written out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from striate.data import Batch, Dataset, Mixed
from striate.errors import RecipeError
from striate.training import Recipe
from striate.training.loss import Loss, class_weights, right


def batch_of(labels: list[int], mixed: Mixed | None = None) -> Batch:
    ids = np.arange(len(labels), dtype=np.uint64)
    pixels = np.zeros((len(labels), 1, 8, 8), np.uint8)
    return Batch(pixels=pixels, labels=np.array(labels), ids=ids, keys=ids, mixed=mixed)


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(5, 10, generator=torch.Generator().manual_seed(0))


MIXED = Mixed(
    labels=np.array([7, 8, 9, 0, 1]), share=np.array([1, 0.75, 0.5, 0.25, 0], dtype=np.float32)
)


def uneven(digits: Dataset) -> Dataset:
    """12 images of 0, 6 of 1, 2 of 2, and none of the others."""
    labels = np.repeat([0, 1, 2], [12, 6, 2])
    return replace(digits, train=replace(digits.train, ids=digits.train.ids[:20], labels=labels))


def loss(digits: Dataset, **changes: Any) -> Loss:
    return Loss.of(Recipe().with_(changes), digits)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_plain_is_torchs_own(digits: Dataset, logits: torch.Tensor, smoothing: float) -> None:
    labels = [0, 1, 2, 3, 4]
    found = loss(digits, label_smoothing=smoothing)(logits, batch_of(labels))
    expected = F.cross_entropy(logits, torch.tensor(labels), label_smoothing=smoothing)
    torch.testing.assert_close(found, expected)


def test_mixed_targets_are_torchs_own_as_probabilities(
    digits: Dataset, logits: torch.Tensor
) -> None:
    labels = [0, 1, 2, 3, 4]
    share = torch.from_numpy(MIXED.share)[:, None]
    targets = share * F.one_hot(torch.tensor(labels), 10)
    targets = targets + (1 - share) * F.one_hot(torch.from_numpy(MIXED.labels), 10)
    found = loss(digits, label_smoothing=0.1)(logits, batch_of(labels, MIXED))
    torch.testing.assert_close(found, F.cross_entropy(logits, targets, label_smoothing=0.1))


def test_a_mixed_image_is_right_by_its_larger_part() -> None:
    guesses = F.one_hot(torch.tensor([0, 8, 2, 0, 4]), 10).float()
    # 0 of 0 · 1 of 3/4, said 8 · 2 of 1/2 · 0 of 3/4 · 1 of all, said 4
    assert right(guesses, batch_of([0, 1, 2, 3, 4], MIXED)) == 3
    assert right(guesses, batch_of([0, 1, 2, 3, 4])) == 3  # 0, 2, 4


def test_balanced_weights_give_every_class_the_same_sum(digits: Dataset) -> None:
    data = uneven(digits)
    weights = class_weights(Recipe().with_({"class_weights": "balanced"}), data)
    assert weights is not None
    counts = np.bincount(data.train.labels, minlength=10)
    np.testing.assert_allclose((weights * counts)[:3], 20 / 3)
    assert (weights[3:] == 0).all()
    assert class_weights(Recipe(), data) is None


def test_given_weights_have_a_mean_of_one_over_the_images(digits: Dataset) -> None:
    given = [1.0, 2.0, 8.0, *[1.0] * 7]
    weights = class_weights(Recipe().with_({"class_weights": given}), uneven(digits))
    assert weights is not None
    np.testing.assert_allclose(weights[:3] / weights[0], given[:3])
    assert weights[uneven(digits).train.labels].mean() == pytest.approx(1)


def test_a_weighted_loss_is_a_mean_of_each_samples_own(
    digits: Dataset, logits: torch.Tensor
) -> None:
    data = uneven(digits)
    weighted = loss(data, class_weights="balanced")
    assert weighted.weights is not None
    labels = [0, 1, 2, 2, 0]
    each = F.cross_entropy(logits, torch.tensor(labels), reduction="none")
    expected = (each * weighted.weights[torch.tensor(labels)]).mean()
    torch.testing.assert_close(weighted(logits, batch_of(labels)), expected)
    # Two processes that hold three and two samples average to the same.
    parts = [weighted(logits[:3], batch_of(labels[:3])), weighted(logits[3:], batch_of(labels[3:]))]
    torch.testing.assert_close((3 * parts[0] + 2 * parts[1]) / 5, expected)


def test_weights_for_other_classes(digits: Dataset) -> None:
    with pytest.raises(RecipeError, match="class_weights has 2 numbers for 10 classes; give one"):
        loss(digits, class_weights=[1, 2])
    with pytest.raises(RecipeError, match="class_weights is 0 for every class that has training"):
        loss(uneven(digits), class_weights=[0, 0, 0, *[1] * 7])
