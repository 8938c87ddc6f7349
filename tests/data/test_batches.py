"""Plans, augmentation and loading: pure functions of (seed, epoch, id), however they are run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from striate.data import (
    Augment,
    Batch,
    DataOptions,
    Dataset,
    Split,
    batches,
    epoch_plan,
    load_batch,
    open_data,
    whole_plan,
)
from striate.data.options import Indices, Pixels
from striate.data.split import Store
from striate.errors import DataError, ImageError

ALL = Augment(flip=True, translate=3, cutout=6, crop=True)


@pytest.fixture(scope="module")
def shapes() -> Dataset:
    return open_data("shapes", DataOptions(count=120, image=(16, 20)))


def same(one: Batch, two: Batch) -> bool:
    return (
        np.array_equal(one.pixels, two.pixels)
        and np.array_equal(one.ids, two.ids)
        and np.array_equal(one.labels, two.labels)
    )


@pytest.mark.parametrize("batch_size", [1, 7, 32, 84, 1000])
def test_every_sample_comes_once_in_even_batches(shapes: Dataset, batch_size: int) -> None:
    plan = epoch_plan(shapes.train, seed=0, epoch=0, batch_size=batch_size)
    sizes = [len(indices) for indices in plan]
    assert sorted(np.concatenate(plan).tolist()) == list(range(len(shapes.train)))
    assert len(plan) == -(-len(shapes.train) // batch_size)
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= batch_size


def test_order_depends_on_seed_and_epoch_and_ids_alone(shapes: Dataset) -> None:
    def order(split: Split, seed: int, epoch: int) -> list[int]:
        plan = epoch_plan(split, seed=seed, epoch=epoch, batch_size=10)
        return split.ids[np.concatenate(plan)].tolist()

    train = shapes.train
    first = order(train, 0, 0)
    assert first == order(train, 0, 0)
    assert first != order(train, 0, 1)
    assert first != order(train, 1, 0)
    turned = replace(train, ids=train.ids[::-1].copy(), labels=train.labels[::-1].copy())
    assert order(turned, 0, 0) == first


def test_whole_plan_keeps_the_order(shapes: Dataset) -> None:
    plan = whole_plan(shapes.test, batch_size=7)
    assert np.concatenate(plan).tolist() == list(range(len(shapes.test)))


def test_plans_that_cannot_be(shapes: Dataset) -> None:
    with pytest.raises(DataError, match="batch size 0 cannot be; use 1 or more"):
        epoch_plan(shapes.train, seed=0, epoch=0, batch_size=0)
    empty = replace(shapes.val, ids=shapes.val.ids[:0], labels=shapes.val.labels[:0])
    with pytest.raises(DataError, match="the val split has no images; give it a share above 0"):
        whole_plan(empty, batch_size=4)


@pytest.mark.parametrize("augment", [None, Augment(flip=True), Augment(translate=4), ALL])
def test_a_sample_does_not_depend_on_its_batch(shapes: Dataset, augment: Augment | None) -> None:
    split = shapes.train
    together = load_batch(split, np.arange(20), augment=augment, seed=3, epoch=2)
    for i in range(20):
        alone = load_batch(split, np.array([i]), augment=augment, seed=3, epoch=2)
        np.testing.assert_array_equal(alone.pixels[0], together.pixels[i])
        assert alone.ids[0] == together.ids[i] == split.ids[i]
        assert alone.labels[0] == together.labels[i] == split.labels[i]


def test_loading_leaves_the_split_alone(shapes: Dataset) -> None:
    before = shapes.train.pixels(np.arange(len(shapes.train)))
    batch = load_batch(shapes.train, np.arange(50), augment=ALL, seed=0, epoch=0)
    batch.pixels[:] = 0
    np.testing.assert_array_equal(shapes.train.pixels(np.arange(len(shapes.train))), before)


def augmented(split: Split, augment: Augment, epoch: int = 0) -> Pixels:
    indices = np.arange(len(split))
    return load_batch(split, indices, augment=augment, seed=0, epoch=epoch).pixels


def test_flip_turns_about_half(shapes: Dataset) -> None:
    plain = shapes.train.pixels(np.arange(len(shapes.train)))
    out = augmented(shapes.train, Augment(flip=True))
    turned = (out == plain[:, :, :, ::-1]).all(axis=(1, 2, 3))
    kept = (out == plain).all(axis=(1, 2, 3))
    assert (turned | kept).all()
    # Binomial(84, 1/2): five standard deviations.
    assert abs(int(turned.sum()) - 42) < 5 * np.sqrt(21)


def test_translation_moves_by_every_amount_and_reflects(shapes: Dataset) -> None:
    split, reach = shapes.train, 2
    plain = split.pixels(np.arange(len(split)))
    seen: set[tuple[int, int]] = set()
    for epoch in range(4):
        for before, after in zip(plain, augmented(split, Augment(translate=reach), epoch),
                                 strict=True):  # fmt: skip
            padded = np.pad(before, ((0, 0), (reach, reach), (reach, reach)), mode="reflect")
            places = [
                (top, left)
                for top in range(2 * reach + 1)
                for left in range(2 * reach + 1)
                if np.array_equal(padded[:, top : top + 16, left : left + 20], after)
            ]
            assert places, "no translation of the image"
            seen.add(places[0])
    assert len(seen) == 25


def test_translation_beyond_the_image_is_refused(shapes: Dataset) -> None:
    with pytest.raises(
        DataError, match="augment translate 16 is not smaller than the 16x20 image; use at most 15"
    ):
        augmented(shapes.train, Augment(translate=16))


def test_cutout_is_one_square_of_the_mean_colour(shapes: Dataset) -> None:
    split, side = shapes.train, 6
    plain = split.pixels(np.arange(len(split)))
    out = augmented(split, Augment(cutout=side))
    colour = np.round(np.array(shapes.mean) * 255).astype(int)
    assert split.fill == tuple(colour)
    whole = 0
    for before, after in zip(plain, out, strict=True):
        changed = (before != after).any(axis=0)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        assert rows[-1] - rows[0] < side
        assert columns[-1] - columns[0] < side
        square = after[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert (square == colour[:, None, None]).all()
        whole += changed.sum() == side * side
    # Its centre is anywhere, so it is whole in about 11/16 · 15/20 of the images.
    assert 20 < whole < 70


def test_crop_shows_a_part_at_full_size(shapes: Dataset) -> None:
    out = augmented(shapes.train, Augment(crop=True))
    plain = shapes.train.pixels(np.arange(len(shapes.train)))
    assert out.shape == plain.shape
    assert (out != plain).any(axis=(1, 2, 3)).mean() > 0.95
    # A bilinear crop keeps to the values of the image.
    assert (out.max(axis=(1, 2, 3)) <= plain.max(axis=(1, 2, 3))).all()


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_give_the_same_bits(shapes: Dataset, workers: int) -> None:
    plan = epoch_plan(shapes.train, seed=0, epoch=1, batch_size=9)

    def load(workers: int) -> list[Batch]:
        loaded = batches(shapes.train, plan, augment=ALL, seed=0, epoch=1, workers=workers)
        return list(loaded)

    inline, parallel = load(0), load(workers)
    assert len(inline) == len(parallel) == len(plan)
    assert all(same(a, b) for a, b in zip(inline, parallel, strict=True))
    assert not multiprocessing.active_children()


def test_the_next_batch_is_loaded_meanwhile_and_no_other(shapes: Dataset) -> None:
    seen: list[int] = []
    store = Noting(shapes.train.store, seen)
    plan = whole_plan(shapes.train, batch_size=20)
    options: dict[str, Any] = {"augment": None, "seed": 0, "epoch": 0, "workers": 0}
    split = replace(shapes.train, store=store)
    loaded = batches(split, plan, **options)
    first = next(loaded)
    assert soon(lambda: seen == [0, len(first)])
    loaded.close()  # type: ignore[attr-defined]  # a generator, typed as the iterator it is used as
    assert seen == [0, len(first)]
    assert not loading()
    inline = batches(split, plan, ahead=False, **options)
    seen.clear()
    next(inline)
    assert not loading()
    assert seen == [0]
    ahead = list(batches(split, plan, **options))
    assert all(same(a, b) for a, b in zip(ahead, [first, *inline], strict=False))
    whole = list(batches(split, plan, ahead=False, **options))
    assert all(same(a, b) for a, b in zip(ahead, whole, strict=True))
    assert not loading()


def test_an_error_comes_at_its_batch_and_ends_the_thread(shapes: Dataset) -> None:
    split = replace(shapes.train, store=Failing())
    plan = whole_plan(split, batch_size=2)
    loaded = batches(split, plan, augment=None, seed=0, epoch=0, workers=0)
    assert len(next(loaded)) == len(next(loaded)) == 2
    with pytest.raises(ImageError, match=r"cat/5\.png is truncated"):
        next(loaded)
    assert not loading()


def test_ctrl_c_ends_the_thread(shapes: Dataset) -> None:
    split = replace(shapes.train, store=Slow())
    loaded = batches(
        split, whole_plan(split, batch_size=2), augment=None, seed=0, epoch=0, workers=0
    )
    next(loaded)
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt) as caught:
            next(loaded)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert caught.traceback
    assert not loading()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_goes_on_from_any_batch(shapes: Dataset, workers: int) -> None:
    plan = epoch_plan(shapes.train, seed=0, epoch=1, batch_size=9)
    options: dict[str, Any] = {"augment": ALL, "seed": 0, "epoch": 1}
    whole = list(batches(shapes.train, plan, workers=0, **options))
    rest = list(batches(shapes.train, plan, workers=workers, start=4, **options))
    assert len(rest) == len(whole) - 4
    assert all(same(a, b) for a, b in zip(whole[4:], rest, strict=True))


def test_torchs_global_state_is_not_moved(shapes: Dataset) -> None:
    before = torch.get_rng_state()
    plan = whole_plan(shapes.test, batch_size=10)
    list(batches(shapes.test, plan, augment=None, seed=0, epoch=0, workers=1))
    assert torch.equal(torch.get_rng_state(), before)


class Noting:
    """A store that notes the first index of every look."""

    def __init__(self, store: Store, seen: list[int]) -> None:
        self.store, self.seen = store, seen

    def pixels(self, indices: Indices) -> Pixels:
        self.seen.append(int(indices[0]))
        return self.store.pixels(indices)

    def originals(self, indices: Indices) -> list[Pixels]:
        return self.store.originals(indices)


def loading() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("striate-load")]


def soon(holds: Callable[[], bool]) -> bool:
    for _ in range(100):
        if holds():
            return True
        time.sleep(0.05)
    return False


def gone(started: list[Any]) -> bool:
    for _ in range(100):
        if not any(process.is_alive() for process in started):
            return True
        time.sleep(0.05)
    return False


def begin(split: Split) -> tuple[Iterator[Batch], list[Any]]:
    plan = whole_plan(split, batch_size=2)
    loaded = batches(split, plan, augment=None, seed=0, epoch=0, workers=2)
    next(loaded)
    return loaded, multiprocessing.active_children()


def test_closing_ends_the_workers(shapes: Dataset) -> None:
    loaded, started = begin(shapes.train)
    assert len(started) == 2
    loaded.close()  # type: ignore[attr-defined]  # a generator, typed as the iterator it is used as
    assert gone(started)


def test_workers_leave_ctrl_c_to_their_parent(shapes: Dataset) -> None:
    loaded, started = begin(shapes.train)
    for process in started:
        os.kill(process.pid, signal.SIGINT)
    assert len(list(loaded)) == -(-len(shapes.train) // 2) - 1
    assert gone(started)


class Slow:
    """A store that takes its time over all but the first image."""

    def pixels(self, indices: Indices) -> Pixels:
        time.sleep(1.5 * (0 not in indices))
        return np.zeros((len(indices), 1, 2, 2), dtype=np.uint8)

    def originals(self, indices: Indices) -> list[Pixels]:
        return list(self.pixels(indices))


def test_ctrl_c_ends_the_workers(shapes: Dataset) -> None:
    loaded, started = begin(replace(shapes.train, store=Slow()))
    assert len(started) == 2
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt) as caught:
            next(loaded)
    finally:
        signal.signal(signal.SIGALRM, previous)
    # The exception, and with it every frame it came through, is still held here.
    assert caught.traceback
    assert gone(started)


class Failing:
    """A store that cannot read one of its images."""

    def pixels(self, indices: Indices) -> Pixels:
        if 5 in indices:
            raise ImageError("cat/5.png is truncated; mend or remove it")
        return np.zeros((len(indices), 1, 2, 2), dtype=np.uint8)

    def originals(self, indices: Indices) -> list[Pixels]:
        return list(self.pixels(indices))


class Dying(Failing):
    """A store whose process is killed, as by the kernel when memory runs out."""

    def pixels(self, indices: Indices) -> Pixels:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def test_an_error_in_a_worker_arrives_as_its_one_line(shapes: Dataset) -> None:
    split = replace(shapes.train, store=Failing())
    plan = whole_plan(split, batch_size=2)
    loaded = batches(split, plan, augment=None, seed=0, epoch=0, workers=1)
    assert len(next(loaded)) == 2
    with pytest.raises(ImageError) as caught:
        list(loaded)
    assert str(caught.value) == "cat/5.png is truncated; mend or remove it"
    assert not multiprocessing.active_children()


def test_a_killed_worker_is_said_in_one_line(shapes: Dataset) -> None:
    split = replace(shapes.train, store=Dying())
    plan = whole_plan(split, batch_size=2)
    loaded = batches(split, plan, augment=None, seed=0, epoch=0, workers=1)
    with pytest.raises(DataError) as caught:
        list(loaded)
    assert "a loader process ended (" in str(caught.value)
    assert str(caught.value).endswith("; use fewer workers, or 0")
    assert "\n" not in str(caught.value)
