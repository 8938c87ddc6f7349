"""Shards: the data set they were written from, read anywhere, in an order that is only planned."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.data import Augment, DataOptions, Dataset, batches, epoch_plan, load_batch, open_data
from striate.data.encoded import KeptStore
from striate.data.shards import order as ordering
from striate.data.shards.order import Chunked
from striate.data.shards.writing import write_shards
from striate.errors import DataError, OutputError

pytest.importorskip("litdata")

Files = Callable[..., dict[str, bytes]]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    from tests.data.conftest import two_classes

    root = tmp_path_factory.mktemp("photos")
    for name, data in two_classes(20, height=30, width=40).items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(data)
    return open_data(str(root), DataOptions(image=(16, 16)))


@pytest.fixture(scope="module")
def written(photos: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards") / "photos"
    write_shards(photos, folder, chunk_bytes=4000)
    return folder


def same(one: Dataset, two: Dataset, *, originals: bool = True) -> None:
    assert one.fingerprint == two.fingerprint
    assert (one.classes, one.image, one.mean, one.std) == (
        two.classes,
        two.image,
        two.mean,
        two.std,
    )
    assert (one.sizes, one.fit, one.name) == (two.sizes, two.fit, two.name)
    np.testing.assert_array_equal(one.counts, two.counts)
    for a, b in zip(one.splits, two.splits, strict=True):
        every = np.arange(len(a))
        assert a.paths(every) == b.paths(every)
        assert a.fill == b.fill
        np.testing.assert_array_equal(a.labels, b.labels)
        np.testing.assert_array_equal(a.pixels(every), b.pixels(every))
        if originals:
            for x, y in zip(a.originals(every), b.originals(every), strict=True):
                np.testing.assert_array_equal(x, y)


def test_shards_are_the_data_they_were_written_from(photos: Dataset, written: Path) -> None:
    found = open_data(str(written))
    same(photos, found)
    assert len(list((written / "train").glob("*.bin"))) > 11  # so many that names sort otherwise
    plan = epoch_plan(photos.train, seed=3, epoch=2, batch_size=5)
    again = epoch_plan(found.train, seed=3, epoch=2, batch_size=5)
    for one, two in zip(plan, again, strict=True):
        np.testing.assert_array_equal(one, two)  # one window is a full shuffle
    augment = Augment(crop=True, flip=True)
    looks = [
        load_batch(data.train, plan[0], augment=augment, seed=3, epoch=2)
        for data in (photos, found)
    ]
    np.testing.assert_array_equal(looks[0].pixels, looks[1].pixels)


def test_litdata_streams_the_chunks(photos: Dataset, written: Path, tmp_path: Path) -> None:
    """Whoever has no striate reads the files all the same, each once."""
    code = """
import hashlib, sys
from litdata import StreamingDataset
found = StreamingDataset(sys.argv[1])
for i in range(len(found)):
    print(hashlib.sha256(found[i]).hexdigest())
"""
    said = subprocess.run(
        [sys.executable, "-c", code, str(written / "train")],
        capture_output=True, text=True, check=True, cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    store = photos.train.store
    assert isinstance(store, KeptStore)
    files = [store.behind.content.read(row) for row in store.behind.rows.tolist()]
    assert sorted(said.stdout.split()) == sorted(hashlib.sha256(data).hexdigest() for data in files)


@pytest.mark.parametrize("deep", [False, True])
def test_arrays_become_shards_of_pixels(tmp_path: Path, deep: bool) -> None:
    rng = np.random.default_rng(0)
    greatest = 65535 if deep else 255
    np.savez(
        tmp_path / "x.npz",
        images=rng.integers(0, greatest + 1, (60, 9, 7, 3)).astype(np.uint16 if deep else np.uint8),
        labels=np.arange(60) % 3,
    )
    data = open_data(str(tmp_path / "x.npz"))
    write_shards(data, tmp_path / "shards", chunk_bytes=2000)
    same(data, open_data(str(tmp_path / "shards")))
    with pytest.raises(DataError, match="came as arrays, which have no bytes of files"):
        write_shards(data, tmp_path / "other", holds="bytes")
    assert not (tmp_path / "other").exists()


def test_files_may_be_written_as_pixels(photos: Dataset, tmp_path: Path) -> None:
    write_shards(photos, tmp_path / "shards", holds="pixels")
    found = open_data(str(tmp_path / "shards"))
    same(photos, found, originals=False)
    assert found.train.originals(np.array([0]))[0].shape == (3, 16, 16)


def test_a_remote_set_is_fetched_when_it_is_needed(
    photos: Dataset, written: Path, tmp_path: Path
) -> None:
    spec = f"local:{written}"
    found = open_data(spec)
    cache = next(Path(note.split("into ")[1].split(", at most")[0]) for note in found.notes
                 if "fetched by litdata when they are needed" in note)  # fmt: skip
    assert not list(cache.rglob("*.bin"))
    found.train.pixels(np.arange(2))
    assert 1 <= len(list(cache.rglob("*.bin"))) <= 2
    same(photos, found)
    plan = epoch_plan(found.train, seed=0, epoch=1, batch_size=7)
    options: dict[str, Any] = {"augment": None, "seed": 0, "epoch": 1}
    shutil.rmtree(cache / "train")
    here = list(batches(photos.train, plan, workers=0, **options))
    there = list(batches(found.train, plan, workers=2, **options))
    for one, two in zip(here, there, strict=True):
        np.testing.assert_array_equal(one.pixels, two.pixels)
    assert not list(cache.rglob("*.lock"))


def test_what_is_fetched_is_bounded(photos: Dataset, written: Path) -> None:
    size = max(path.stat().st_size for path in written.rglob("*.bin"))
    found = open_data(f"local:{written}", DataOptions(disk_bytes=3 * size))
    same(photos, found)
    note = next(note for note in found.notes if "at most" in note)
    cache = Path(note.split("into ")[1].split(", at most")[0])
    assert 0 < sum(path.stat().st_size for path in cache.rglob("*.bin")) <= 3 * size


def test_what_is_not_there_is_said(written: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^local:.*striate\.json cannot be fetched \(.*check the"):
        open_data(f"local:{tmp_path}/nothing")
    copy = tmp_path / "copy"
    shutil.copytree(written, copy)
    chunk = copy / "train" / "chunk-0-1.bin"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:-1])
    with pytest.raises(DataError, match=r"chunk-0-1\.bin has \d+ bytes and was written with \d+"):
        open_data(str(copy))
    chunk.unlink()
    with pytest.raises(DataError, match=r"chunk-0-1\.bin cannot be read \(No such file"):
        open_data(str(copy))
    chunk.write_bytes(bytes(4) + whole[4:])
    data = open_data(str(copy))
    with pytest.raises(DataError, match="its head is not litdata's"):
        data.train.pixels(np.arange(len(data.train)))
    arrays = next(copy.glob("*.npz"))
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"?")
    with pytest.raises(DataError, match=r"is broken \(its content is not what was written\)"):
        open_data(str(copy))
    (copy / "striate.json").write_text("{}")
    with pytest.raises(DataError, match=r"striate\.json is no index of shards"):
        open_data(str(copy))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"image": (32, 32)}, "were written for images of 3x16x16, not 32x32; leave --image"),
        ({"image": (1, 16, 16)}, "were written for images of 3x16x16, not 1x16x16"),
        ({"group": "a"}, "its splits were made when the shards were written"),
        ({"share": 0.5}, "its splits were made when the shards were written"),
    ],
)
def test_what_was_decided_in_writing_stays(
    written: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        open_data(str(written), DataOptions(**options))
    assert open_data(str(written), DataOptions(image=(3, 16, 16))).image == (3, 16, 16)


def test_nothing_is_written_over_or_left_half_written(
    photos: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine").write_text("x")
    with pytest.raises(OutputError, match="holds something already; name a new folder"):
        write_shards(photos, tmp_path / "a")
    broken = replace(photos, test=replace(photos.test, store=Vanishing(photos.test.store)))
    with pytest.raises(DataError, match="gone"):
        write_shards(broken, tmp_path / "b", holds="pixels")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


class Vanishing:
    def __init__(self, store: Any) -> None:
        self.store = store

    def pixels(self, indices: Any) -> Any:
        raise DataError("gone")

    def originals(self, indices: Any) -> Any:
        raise DataError("gone")


def chunked(images: int, chunks: int) -> tuple[Any, Chunked]:
    rng = np.random.default_rng(1)
    ids = np.sort(rng.integers(0, 2**63, images).astype(np.uint64))
    return ids, Chunked.of(ids, rng.integers(0, chunks, images).astype(np.int32), chunks)


def test_windows_hold_whole_chunks_in_an_order_of_the_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ordering, "WINDOW", 100)
    _, found = chunked(1000, 40)
    seen = [found.windows(seed=0, epoch=epoch) for epoch in range(3)]
    for windows in seen:
        for chunk in range(40):
            assert len(np.unique(windows[found.chunk_of == chunk])) == 1
        sizes = np.bincount(windows)
        # A window's last chunk begins below 100 images and may end above.
        assert len(sizes) == 10
        assert all(abs(int(size) - 100) <= found.counts.max() for size in sizes)
    assert (seen[0] != seen[1]).any()
    assert (found.windows(seed=1, epoch=0) != seen[0]).any()
    np.testing.assert_array_equal(found.windows(seed=0, epoch=1), seen[1])


def test_a_stream_gives_every_image_once_and_shuffles_within_windows(
    photos: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordering, "WINDOW", 100)
    ids, found = chunked(1000, 40)
    split = replace(photos.train, ids=ids, labels=np.zeros(1000, np.int64), chunked=found)
    orders = [
        np.concatenate(epoch_plan(split, seed=0, epoch=epoch, batch_size=32)) for epoch in (1, 2)
    ]
    for epoch, sequence in zip((1, 2), orders, strict=True):
        assert sorted(sequence.tolist()) == list(range(1000))
        windows = found.windows(seed=0, epoch=epoch)[sequence]
        assert (np.diff(windows) >= 0).all()
        # Within a window chunks are mixed: far fewer neighbours share one than if they came whole.
        together = np.mean(found.chunk_of[sequence][1:] == found.chunk_of[sequence][:-1])
        assert together < 0.5
    assert (orders[0] != orders[1]).any()
