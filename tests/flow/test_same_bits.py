"""The same images, as parquet and as a folder of JPEG files, train to the same bits.

A stated subset of CIFAR-10: the first 30 training and 10 test images of each class.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import striate
from striate.arch import load_arch
from striate.data import open_data
from striate.flow.events import FitOptions

IMAGES = {"train": 30, "test": 10}


@pytest.fixture
def both(shared: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The subset as parquet files (with their schema's metadata), and unpacked."""
    parquet, folder = tmp_path / "parquet", tmp_path / "folder"
    parquet.mkdir()
    names = open_names(shared)
    for split, count in IMAGES.items():
        table = pq.read_table(shared / "data" / "cifar10" / f"{split}.parquet")
        picked = pa.concat_tables(
            table.filter(pc.equal(table["label"], label)).slice(0, count)
            for label in range(len(names))
        )
        pq.write_table(picked, parquet / f"{split}.parquet", row_group_size=64)
        # Other file names, and so another order, than the rows have.
        for number, row in enumerate(reversed(picked.to_pylist())):
            path = folder / split / names[row["label"]] / f"{number:04}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(row["image"]["bytes"])
    return parquet, folder


def open_names(shared: Path) -> list[str]:
    import json

    schema = pq.read_schema(shared / "data" / "cifar10" / "train.parquet")
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    return features["label"]["names"]


def test_parquet_and_folder(both: tuple[Path, Path], tmp_path: Path) -> None:
    runs = [
        striate.fit(
            str(data),
            FitOptions(
                arch="resnet20",
                epochs=1,
                batch=50,
                threads=1,
                setting="fp32",
                seed=1,
                out=tmp_path / f"run-{data.name}",
            ),
        )
        for data in both
    ]
    first, second = runs
    assert (first.loss, first.accuracy, first.ece) == (second.loss, second.accuracy, second.ece)
    weights = [Path(run.run, "weights.safetensors").read_bytes() for run in runs]
    assert weights[0] == weights[1]
    assert load_arch(Path(first.run, "arch.toml")).name == "resnet20"


def test_the_subset_is_what_it_is_said_to_be(both: tuple[Path, Path]) -> None:
    for data in map(str, both):
        opened = open_data(data)
        assert len(opened.train) + len(opened.val) == 10 * IMAGES["train"]
        assert len(opened.test) == 10 * IMAGES["test"]
        assert opened.image == (3, 32, 32)
        assert opened.classes[0] == "airplane"
    assert open_data(str(both[0])).fingerprint == open_data(str(both[1])).fingerprint
