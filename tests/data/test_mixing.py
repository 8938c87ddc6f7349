"""Mixup and CutMix: what is mixed with what, in which shares, whoever divides the batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from striate.data import (
    Augment,
    Batch,
    DataOptions,
    Dataset,
    Mix,
    batches,
    epoch_plan,
    load_batch,
    open_data,
)
from striate.data.mixing import beta, partners
from striate.data.split import HeldPixels
from striate.errors import DataError

BOTH = Mix(mixup=0.8, cutmix=1.0, share=0.8)
AUGMENT = Augment(flip=True, translate=2)


@pytest.fixture(scope="module")
def shapes() -> Dataset:
    return open_data("shapes", DataOptions(count=120, image=(16, 20)))


def words(count: int) -> NDArray[np.uint64]:
    return np.random.default_rng(0).integers(0, 2**64, count, dtype=np.uint64)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 3.0])
def test_weights_are_distributed_as_beta(alpha: float) -> None:
    from scipy import stats

    drawn = beta(alpha, words(20_000), "test", seed=0, epoch=1)
    # Kolmogorov and Smirnov: a right sampler fails one time in a thousand, and the key is fixed.
    assert stats.kstest(drawn, stats.beta(alpha, alpha).cdf).pvalue > 1e-3
    assert np.isfinite(beta(0.001, words(1000), "test", seed=0, epoch=1)).all()


def test_a_weight_depends_on_its_own_key_alone() -> None:
    keys = words(50)
    together = beta(0.3, keys, "test", seed=1, epoch=2)
    alone = [beta(0.3, keys[i : i + 1], "test", seed=1, epoch=2)[0] for i in range(50)]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_everybody_is_a_partner_once_and_nobody_his_own(count: int) -> None:
    keys = words(count)
    found = partners(keys, seed=0, epoch=1)
    assert sorted(found.tolist()) == list(range(count))
    assert count == 1 or (found != np.arange(count)).all()
    # The pairs are of samples, not of places.
    turned = np.arange(count)[::-1]
    again = partners(keys[turned], seed=0, epoch=1)
    assert dict(zip(keys.tolist(), keys[found].tolist(), strict=True)) == dict(
        zip(keys[turned].tolist(), keys[turned][again].tolist(), strict=True)
    )


@pytest.mark.parametrize("deep", [False, True])
def test_mixup_is_the_weighted_sum(shapes: Dataset, deep: bool) -> None:
    split = shapes.train
    if deep:
        pixels = split.pixels(np.arange(len(split))).astype(np.uint16) * np.uint16(257)
        split = replace(split, store=HeldPixels(array=pixels))
    plain = load_batch(split, np.arange(60), augment=None, seed=0, epoch=1)
    batch = load_batch(split, np.arange(60), augment=None, seed=0, epoch=1, mix=Mix(mixup=1.0))
    assert batch.mixed is not None
    places = partners(split.ids[:60], seed=0, epoch=1)
    own = batch.mixed.share.astype(np.float64).reshape(-1, 1, 1, 1)
    expected = own * plain.pixels + (1 - own) * plain.pixels[places]
    assert np.abs(batch.pixels - expected).max() <= 0.5
    assert batch.pixels.dtype == split.pixels(np.arange(1)).dtype
    np.testing.assert_array_equal(batch.mixed.labels, plain.labels[places])
    np.testing.assert_array_equal(batch.labels, plain.labels)
    assert len(np.unique(batch.mixed.share)) > 40


def test_cutmix_shows_of_the_partner_as_much_as_the_target_says(shapes: Dataset) -> None:
    white, black = np.full((3, 16, 20), 255, np.uint8), np.zeros((3, 16, 20), np.uint8)
    count = len(shapes.train)
    rows = np.where((np.arange(count) % 2).reshape(-1, 1, 1, 1), white, black)
    split = replace(shapes.train, store=HeldPixels(array=rows))
    batch = load_batch(split, np.arange(count), augment=None, seed=0, epoch=1, mix=Mix(cutmix=1.0))
    places = partners(split.ids, seed=0, epoch=1)
    assert batch.mixed is not None
    seen = 0
    for i in range(count):
        if i % 2 == places[i] % 2:
            continue  # both of one colour: nothing to be seen
        own = (batch.pixels[i, 0] == rows[i, 0]).mean()
        assert batch.mixed.share[i] == pytest.approx(own, abs=1e-6)
        down, across = np.nonzero(batch.pixels[i, 0] != rows[i, 0])
        if len(down):  # one rectangle
            assert len(down) == (np.ptp(down) + 1) * (np.ptp(across) + 1)
            seen += 1
    assert seen > 20


def test_shares_of_what_is_mixed(shapes: Dataset) -> None:
    def share(mix: Mix, epoch: int = 1) -> NDArray[np.float32]:
        found = load_batch(
            shapes.train, np.arange(84), augment=None, seed=0, epoch=epoch, mix=mix
        ).mixed
        assert found is not None
        return found.share

    left = np.mean([(share(Mix(mixup=1.0, share=0.25), epoch) == 1).mean() for epoch in range(20)])
    # Binomial(1680, 3/4), and 1 in 500 of the weights is rounded to 1: five standard deviations.
    assert abs(left - 0.75) < 5 * np.sqrt(0.1875 / 1680) + 0.002
    both, sums = share(Mix(mixup=1.0, cutmix=1.0)), share(Mix(mixup=1.0))
    same = int((both == sums).sum())
    assert 20 < same < 64  # about half are sums, with the weights that they have without CutMix
    plain = load_batch(shapes.train, np.arange(9), augment=None, seed=0, epoch=1, mix=Mix())
    assert plain.mixed is None


def joined(parts: list[Batch]) -> list[NDArray[np.generic]]:
    return [
        np.concatenate([getattr(part, name) for part in parts]) for name in ("pixels", "ids")
    ] + [
        np.concatenate([getattr(part.mixed, name) for part in parts])
        for name in ("labels", "share")
    ]


@pytest.mark.parametrize("processes", [2, 4])
def test_parts_of_a_batch_are_mixed_as_the_whole(shapes: Dataset, processes: int) -> None:
    draws = epoch_plan(
        shapes.train, seed=0, epoch=2, batch_size=30, sampling="balanced"
    )[0]  # fmt: skip
    options = {"augment": AUGMENT, "seed": 3, "epoch": 2, "mix": BOTH}
    whole = load_batch(shapes.train, draws, **options)
    parts = [
        load_batch(shapes.train, own, **options, whole=draws)
        for own in np.array_split(draws, processes)
    ]
    for one, two in zip(joined([whole]), joined(parts), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_mix_alike(shapes: Dataset, workers: int) -> None:
    plan = epoch_plan(shapes.train, seed=0, epoch=1, batch_size=30)
    mine = [draws[1::2] for draws in plan]
    loaded = batches(
        shapes.train, mine, augment=AUGMENT, seed=0, epoch=1, workers=workers, start=1, mix=BOTH,
        whole=plan,
    )  # fmt: skip
    for number, batch in enumerate(loaded, 1):
        expected = load_batch(
            shapes.train, mine[number], augment=AUGMENT, seed=0, epoch=1, mix=BOTH,
            whole=plan[number],
        )  # fmt: skip
        for one, two in zip(joined([batch]), joined([expected]), strict=True):
            np.testing.assert_array_equal(one, two)
    assert number == len(plan) - 1


def test_mixes_that_cannot_be() -> None:
    with pytest.raises(DataError, match=r"mix mixup -1 is no alpha; use 0 \(none\) to 100"):
        Mix(mixup=-1)
    with pytest.raises(DataError, match="mix share 2 is no share; use 0 to 1"):
        Mix(share=2)
