"""Where decoded pixels lie: RAM, a mapped file, nowhere; always the same bits."""

from __future__ import annotations

import errno
import os
import pickle
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.data import (
    Augment,
    DataOptions,
    Dataset,
    batches,
    epoch_plan,
    keeping,
    load_batch,
    open_data,
    pixel_files,
)
from striate.data.encoded import EncodedStore, KeptStore
from striate.data.pixel_files import clear_pixels, kept_pixels, pixel_folder
from striate.errors import ImageError

Files = Callable[..., dict[str, bytes]]

MAPPED = DataOptions(cache_bytes=0)
NOWHERE = DataOptions(cache_bytes=0, disk_bytes=0)


@pytest.fixture
def root(write_folder: Any, cats_and_dogs: Files) -> str:
    """Images of 30 x 40, and some of 22 x 26."""
    return str(write_folder(cats_and_dogs(20, height=30, width=40) | {
        f"{name}/small{i}.png": data
        for name in ("cat", "dog")
        for i, data in enumerate(list(cats_and_dogs(6, height=22, width=26).values())[:6])
    }))  # fmt: skip


def files() -> list[Path]:
    return sorted(pixel_folder().glob("*"))


def same_pixels(one: Dataset, two: Dataset) -> None:
    assert one.fingerprint == two.fingerprint
    assert (one.mean, one.std, one.fit) == (two.mean, two.std, two.fit)
    np.testing.assert_array_equal(one.counts, two.counts)
    for a, b in zip(one.splits, two.splits, strict=True):
        every = np.arange(len(a))
        np.testing.assert_array_equal(a.pixels(every), b.pixels(every))
        for x, y in zip(a.originals(every), b.originals(every), strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("side", [None, (16, 16), (30, 40)])
def test_every_place_gives_the_same_bits(root: str, side: tuple[int, int] | None) -> None:
    def opened(options: DataOptions) -> Dataset:
        return open_data(root, replace(options, image=side))

    nowhere = opened(NOWHERE)
    assert all(isinstance(split.store, KeptStore) for split in nowhere.splits)
    assert sum("decoded at every look" in note for note in nowhere.notes) == 1 + nowhere.crops
    assert not files()
    first, again = opened(MAPPED), opened(MAPPED)
    assert len(files()) == 1 + first.crops
    assert sum("mapped from" in note for note in first.notes) == 1 + first.crops
    assert first.notes == again.notes
    held = opened(DataOptions())
    assert held.cached
    assert not first.cached
    for other in (first, again, held):
        same_pixels(nowhere, other)
    augment = Augment(crop=True, flip=True)
    looks = [
        load_batch(data.train, np.arange(9), augment=augment, seed=1, epoch=2)
        for data in (nowhere, first, held)
    ]
    for look in looks[1:]:
        np.testing.assert_array_equal(look.pixels, looks[0].pixels)


def test_a_second_opening_decodes_nothing(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_data(root, MAPPED)
    seen: list[tuple[int, int]] = []

    def never(*_: Any) -> Any:
        raise AssertionError("decoded again")

    monkeypatch.setattr("striate.data.form.decode", never)
    again = open_data(root, MAPPED, progress=lambda done, total: seen.append((done, total)))
    same = np.arange(len(first.train))
    np.testing.assert_array_equal(again.train.pixels(same), first.train.pixels(same))
    assert [len(x) for x in again.train.originals(same)] == [3] * len(same)
    assert seen[-1][0] == seen[-1][1] == 2 * sum(map(len, again.splits))


def test_fitted_pixels_go_to_ram_first(root: str) -> None:
    size = 3 * 32 * 32 * 52
    data = open_data(root, DataOptions(image=(32, 32), cache_bytes=size))
    assert data.cached
    assert sum("held in RAM" in note for note in data.notes) == 1
    assert sum("random crops" in note and "mapped from" in note for note in data.notes) == 1
    assert [path.name.split("-")[0] for path in files()] == ["originals"]
    assert not open_data(root, DataOptions(image=(32, 32), cache_bytes=size - 1)).cached


def test_another_recipe_is_another_file(root: str, write_folder: Any, cats_and_dogs: Files) -> None:
    size = (16, 16)
    for options in (
        replace(MAPPED, image=size),
        replace(MAPPED, image=(16, 20)),
        replace(MAPPED, image=size, fit="pad"),
        replace(MAPPED, image=size, seed=5),
    ):
        open_data(root, options)
    assert len([path for path in files() if path.name.startswith("fitted")]) == 4
    # Originals do not depend on size and fit, but on which images are for training.
    assert len([path for path in files() if path.name.startswith("originals")]) == 2


@pytest.mark.parametrize("where", [5, 20, 60, 400, -1])
def test_a_broken_file_is_written_anew(root: str, where: int) -> None:
    open_data(root, MAPPED)
    path = next(path for path in files() if path.name.startswith("fitted"))
    good = path.read_bytes()
    if where == -1:
        path.write_bytes(good[:-1])
    else:
        path.write_bytes(good[:where] + bytes([good[where] ^ 1]) + good[where + 1 :])
    mended = open_data(root, MAPPED)
    assert path.read_bytes() == good
    same_pixels(open_data(root, NOWHERE), mended)


def test_two_builders_at_once(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2)
    finish = pixel_files.PixelWriter.finish

    def wait(self: Any, counts: Any) -> Any:
        together.wait(30)  # both have written all but the header
        return finish(self, counts)

    monkeypatch.setattr(keeping.PixelWriter, "finish", wait)
    opened: list[Dataset] = []
    builders = [
        threading.Thread(
            target=lambda: opened.append(
                open_data(root, DataOptions(cache_bytes=0, image=(50, 50)))
            )
        )
        for _ in range(2)
    ]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join(60)
    same_pixels(*opened)
    assert len(files()) == 1


@pytest.mark.parametrize("at", ["open", "write", "finish"])
def test_a_disk_that_is_full_is_said_and_leaves_nothing(
    root: str, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    where = {"open": "__init__", "write": "write", "finish": "finish"}[at]
    with monkeypatch.context() as patch:
        patch.setattr(keeping.PixelWriter, where, full)
        data = open_data(root, MAPPED)
    assert any(
        "decoded at every look, as the cache on disk cannot be written (No space left on device)"
        in note
        for note in data.notes
    )
    assert not files()
    same_pixels(data, open_data(root, NOWHERE))


def test_what_a_killed_builder_left_goes_after_a_day(root: str) -> None:
    pixel_folder().mkdir(parents=True)
    old, new = pixel_folder() / ".fitted-x.1.part", pixel_folder() / ".fitted-x.2.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 90000,) * 2)
    open_data(root, DataOptions(cache_bytes=0, image=(50, 50)))
    assert not old.exists()
    assert new.exists()
    before = kept_pixels()
    assert before.files == 2
    assert before.bytes == sum(path.stat().st_size for path in files())
    assert clear_pixels() == before
    assert not files()


def test_bad_images_are_never_in_the_cache(
    root: str, write_folder: Any, cats_and_dogs: Files
) -> None:
    bad = Path(root) / "cat" / "zz.png"
    bad.write_bytes((Path(root) / "cat" / "000.png").read_bytes()[:-60])
    with pytest.raises(ImageError, match=r"zz\.png cannot be decoded"):
        open_data(root, MAPPED)
    assert not files()
    skipping = open_data(root, replace(MAPPED, bad_images="skip"))
    bad.unlink()
    same_pixels(skipping, open_data(root, NOWHERE))


def test_workers_and_other_processes_map_the_same_file(root: str) -> None:
    data = open_data(root, MAPPED)
    store = pickle.loads(pickle.dumps(data.train.store))
    every = np.arange(len(data.train))
    np.testing.assert_array_equal(store.pixels(every), data.train.pixels(every))
    assert isinstance(store, KeptStore)
    assert store.fitted is not None
    assert len(pickle.dumps(store.fitted)) < 2000
    assert not store.fitted.array.flags.writeable
    plan = epoch_plan(data.train, seed=0, epoch=1, batch_size=8)
    options: dict[str, Any] = {"augment": Augment(crop=True), "seed": 0, "epoch": 1}
    here = list(batches(data.train, plan, workers=0, **options))
    there = list(batches(data.train, plan, workers=2, **options))
    for one, two in zip(here, there, strict=True):
        np.testing.assert_array_equal(one.pixels, two.pixels)
    clear_pixels()  # who has the file mapped keeps it
    np.testing.assert_array_equal(store.pixels(every), data.train.pixels(every))


def test_images_of_the_right_size_are_their_own_originals(
    write_folder: Any, cats_and_dogs: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = open_data(str(write_folder(cats_and_dogs(10))))
    wanted = data.train.originals(np.arange(4))

    def never(*_: Any) -> Any:
        raise AssertionError("decoded again")

    monkeypatch.setattr(EncodedStore, "originals", never)
    for one, two in zip(wanted, data.train.originals(np.arange(4)), strict=True):
        np.testing.assert_array_equal(one, two)
