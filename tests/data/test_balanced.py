"""Balanced plans: every class as often as any other, every image of a class as often as another."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from striate.data import Augment, DataOptions, Split, draws_of, epoch_plan, load_batch, open_data


@pytest.fixture(scope="module")
def uneven() -> Split:
    """80 images: 60, 15 and 5 of three classes."""
    train = open_data("shapes", DataOptions(count=120, image=(16, 20))).train
    labels = np.random.default_rng(0).permutation(np.repeat([0, 2, 5], [60, 15, 5]))
    return replace(train, ids=train.ids[:80], labels=labels)


def epoch(split: Split, number: int, seed: int = 0) -> np.ndarray:
    plan = epoch_plan(split, seed=seed, epoch=number, batch_size=16, sampling="balanced")
    assert len(plan) == 5
    return np.concatenate(plan)


def test_classes_come_alike(uneven: Split) -> None:
    for number in range(1, 5):
        draws = epoch(uneven, number)
        assert len(np.unique(draws)) == len(draws) == 80
        labels = uneven.labels[draws_of(uneven, draws)[0]]
        assert sorted(Counter(labels.tolist()).values()) == [26, 27, 27]
        # The first of the classes has not all its draws in the first batch.
        assert len(set(labels[:16].tolist())) == 3


def test_images_of_a_class_come_by_turns(uneven: Split) -> None:
    times = Counter[int]()
    for number in range(1, 21):  # 20 epochs of 27 draws are nine passes over 60 images
        times.update(draws_of(uneven, epoch(uneven, number))[0].tolist())
    for label in (0, 2, 5):
        counts = [times[i] for i in np.flatnonzero(uneven.labels == label).tolist()]
        assert max(counts) - min(counts) <= 1
    assert times[int(np.flatnonzero(uneven.labels == 0)[0])] == 9


def test_a_plan_depends_on_seed_epoch_and_ids_alone(uneven: Split) -> None:
    def ids(split: Split, number: int, seed: int = 0) -> list[int]:
        return draws_of(split, epoch(split, number, seed))[1].tolist()

    turned = replace(uneven, ids=uneven.ids[::-1].copy(), labels=uneven.labels[::-1].copy())
    assert ids(uneven, 3) == ids(turned, 3) == ids(uneven, 3)
    assert ids(uneven, 3) != ids(uneven, 4)
    assert ids(uneven, 3) != ids(uneven, 3, seed=1)


def test_what_comes_again_is_changed_anew(uneven: Split) -> None:
    few = np.flatnonzero(uneven.labels == 5)[0]
    draws = np.array([few, few + 80, few + 160])
    batch = load_batch(
        uneven, draws, augment=Augment(translate=5, policy="trivial"), seed=0, epoch=1
    )
    assert len({image.tobytes() for image in batch.pixels}) == 3
    assert (batch.ids == uneven.ids[few]).all()
    assert (batch.labels == 5).all()
    assert len(set(batch.keys.tolist())) == 3
    assert batch.keys[0] == batch.ids[0]
