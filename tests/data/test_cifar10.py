"""Real images: CIFAR-10 as parquet and unpacked as a folder of JPEGs are one data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from striate.data import Augment, DataOptions, epoch_plan, load_batch, open_data

EVERY = 125
"""Every so many-th image is taken: 400 for training and 80 to test on."""


@pytest.fixture(scope="module")
def both(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same few hundred images as parquet files and as a folder."""
    root = tmp_path_factory.mktemp("cifar10")
    for split in ("train", "test"):
        whole = pq.read_table(shared / "data" / "cifar10" / f"{split}.parquet")
        some = whole.take(list(range(0, len(whole), EVERY)))
        (root / "parquet").mkdir(exist_ok=True)
        pq.write_table(some, root / "parquet" / f"{split}.parquet")
        for image in some["image"].to_pylist():
            file = root / "folder" / split / image["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(image["bytes"])
    return root / "parquet", root / "folder"


@pytest.mark.parametrize("decoder", ["pillow", "simplejpeg"])
def test_folder_and_parquet_are_one_data_set(both: tuple[Path, Path], decoder: str) -> None:
    options = DataOptions(decoder="pillow" if decoder == "pillow" else "simplejpeg")
    parquet, folder = (open_data(str(path), options) for path in both)
    assert [len(split) for split in folder.splits] == [360, 40, 80]
    assert folder.classes == parquet.classes
    assert folder.fingerprint == parquet.fingerprint
    assert (folder.mean, folder.std) == (parquet.mean, parquet.std)
    augment = Augment(flip=True, translate=4, cutout=8)
    for a, b in zip(folder.splits, parquet.splits, strict=True):
        np.testing.assert_array_equal(a.ids, b.ids)
        np.testing.assert_array_equal(a.labels, b.labels)
        for one, two in zip(
            epoch_plan(a, seed=3, epoch=1, batch_size=64),
            epoch_plan(b, seed=3, epoch=1, batch_size=64),
            strict=True,
        ):
            x = load_batch(a, one, augment=augment, seed=3, epoch=1)
            y = load_batch(b, two, augment=augment, seed=3, epoch=1)
            np.testing.assert_array_equal(x.ids, y.ids)
            np.testing.assert_array_equal(x.pixels, y.pixels)


def test_all_of_it(shared: Path) -> None:
    data = open_data(str(shared / "data" / "cifar10"))
    assert [len(split) for split in data.splits] == [45_000, 5_000, 10_000]
    assert all(
        counts == {"train": 4500, "val": 500, "test": 1000}
        for counts in data.class_counts().values()
    )
    # The original's, as everyone rounds them; JPEG moves the third digit, the split the fourth.
    np.testing.assert_allclose(data.mean, (0.4914, 0.4822, 0.4465), atol=2e-3)
    np.testing.assert_allclose(data.std, (0.2470, 0.2435, 0.2616), atol=3e-3)
