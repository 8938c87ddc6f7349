"""Parquet files, and their equality with a folder of the same images."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from striate.data import Augment, DataOptions, epoch_plan, load_batch, open_data
from striate.errors import DataError, ImageError

Write = Callable[..., Path]
Files = Callable[..., dict[str, bytes]]


def table(
    files: dict[str, bytes],
    *,
    names: Sequence[str] | None = ("cat", "dog"),
    struct: bool = True,
    strings: bool = False,
    label: str = "label",
) -> pa.Table:
    """Rows of images and labels, as the ``datasets`` library writes them."""
    classes = ["cat", "dog"]
    of = [path.split("/")[-2] for path in files]
    images: Any = list(files.values())
    if struct:
        images = [{"bytes": data, "path": path} for path, data in files.items()]
    labels: Any = of if strings else [classes.index(name) for name in of]
    result = pa.table({"image": images, label: labels})
    if names is not None:
        feature = {"names": list(names), "_type": "ClassLabel"}
        info = {"info": {"features": {"image": {"_type": "Image"}, label: feature}}}
        result = result.replace_schema_metadata({"huggingface": json.dumps(info)})
    return result


def write(path: Path, rows: pa.Table) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, path, row_group_size=7)
    return path


def test_it_trains_like_the_folder_of_the_same_images(
    write_folder: Write, cats_and_dogs: Files, tmp_path: Path
) -> None:
    files = cats_and_dogs(20)
    folder = open_data(str(write_folder(files)))
    shuffled = dict(sorted(files.items(), key=lambda item: hash(item[1])))
    parquet = open_data(str(write(tmp_path / "all.parquet", table(shuffled))))
    assert parquet.fingerprint == folder.fingerprint
    assert parquet.classes == folder.classes
    assert (parquet.mean, parquet.std) == (folder.mean, folder.std)
    augment = Augment(flip=True, translate=2, cutout=3, crop=True)
    for a, b in zip(folder.splits, parquet.splits, strict=True):
        np.testing.assert_array_equal(a.ids, b.ids)
        np.testing.assert_array_equal(a.labels, b.labels)
        assert a.paths(np.arange(len(a))) == b.paths(np.arange(len(b)))
        for one, two in zip(
            epoch_plan(a, seed=0, epoch=0, batch_size=4),
            epoch_plan(b, seed=0, epoch=0, batch_size=4),
            strict=True,
        ):
            x = load_batch(a, one, augment=augment, seed=0, epoch=0)
            y = load_batch(b, two, augment=augment, seed=0, epoch=0)
            np.testing.assert_array_equal(x.pixels, y.pixels)


@pytest.mark.parametrize(
    "options",
    [
        {"names": None, "strings": True},
        {"names": None, "strings": True, "struct": False},
        {"struct": False},
    ],
)
def test_other_columns_give_the_same(
    options: dict[str, Any], cats_and_dogs: Files, tmp_path: Path
) -> None:
    files = cats_and_dogs(10)
    plain = open_data(str(write(tmp_path / "plain.parquet", table(files))))
    other = open_data(str(write(tmp_path / "other.parquet", table(files, **options))))
    assert other.fingerprint == plain.fingerprint


def test_dictionary_labels(cats_and_dogs: Files, tmp_path: Path) -> None:
    rows = table(cats_and_dogs(10), names=None, strings=True)
    column = rows.schema.get_field_index("label")
    coded = rows.set_column(column, "label", rows["label"].dictionary_encode())
    assert open_data(str(write(tmp_path / "x.parquet", coded))).classes == ("cat", "dog")


def test_numbers_without_names_are_sorted_by_value(cats_and_dogs: Files, tmp_path: Path) -> None:
    rows = table(cats_and_dogs(10), names=None)
    numbers = [10 if label else 9 for label in rows["label"].to_pylist()]
    rows = rows.set_column(1, "label", pa.array(numbers))
    assert open_data(str(write(tmp_path / "x.parquet", rows))).classes == ("9", "10")


def test_names_keep_their_own_order_and_unused_ones_are_left_out(
    cats_and_dogs: Files, tmp_path: Path
) -> None:
    rows = table(cats_and_dogs(10), names=("zebra", "ant", "bee"))
    data = open_data(str(write(tmp_path / "x.parquet", rows)))
    assert data.classes == ("zebra", "ant")
    assert "1 of 3 class names have no training image and are left out." in data.notes


@pytest.mark.parametrize(
    "names",
    [
        ("train.parquet", "validation.parquet", "test.parquet"),
        ("data/train-00000-of-00001.parquet", "data/validation-00000-of-00001.parquet",
         "data/test-00000-of-00001.parquet"),
        ("default/train/0000.parquet", "default/validation/0000.parquet",
         "default/test/0000.parquet"),
        ("train/0.parquet", "val/0.parquet", "test/0.parquet"),
    ],
)  # fmt: skip
def test_splits_are_told_by_names(
    names: tuple[str, str, str], cats_and_dogs: Files, tmp_path: Path
) -> None:
    files = cats_and_dogs(10)
    for number, name in enumerate(names):
        part = {path: data for path, data in files.items() if int(path[-5]) % 3 == number}
        write(tmp_path / name, table(part))
    assert [len(split) for split in open_data(str(tmp_path)).splits] == [8, 6, 6]


def test_other_folders_beside_the_files_are_named(cats_and_dogs: Files, tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", table(cats_and_dogs(10)))
    (tmp_path / "assets").mkdir()
    note = "The parquet files are read, other folders passed over (assets)."
    assert note in open_data(str(tmp_path)).notes


def test_shards_are_one_split(cats_and_dogs: Files, tmp_path: Path) -> None:
    files = cats_and_dogs(10)
    whole = open_data(str(write(tmp_path / "whole" / "train.parquet", table(files))).removesuffix(
        "/train.parquet"))  # fmt: skip
    for shard in range(3):
        part = {path: data for path, data in files.items() if int(path[-5]) % 3 == shard}
        write(tmp_path / "shards" / f"train-{shard:05}-of-00003.parquet", table(part))
    assert open_data(str(tmp_path / "shards")).fingerprint == whole.fingerprint


def test_groups_by_the_path_in_the_file(cats_and_dogs: Files, tmp_path: Path) -> None:
    files = {path.replace("/", f"/p{int(path[-7:-4]) // 2}_"): data
             for path, data in cats_and_dogs(20).items()}  # fmt: skip
    options = DataOptions(group=r"p\d+")
    data = open_data(str(write(tmp_path / "x.parquet", table(files))), options)
    sides = [{path.split("/")[1].split("_")[0] for path in split.paths(np.arange(len(split)))}
             for split in data.splits]  # fmt: skip
    assert sum(map(len, sides)) == len(set.union(*sides)) == 10
    bare = write(tmp_path / "bare.parquet", table(files, struct=False))
    with pytest.raises(DataError, match="looks at paths, and bare has none; leave it out"):
        open_data(str(bare), options)


def test_bad_rows_are_named(cats_and_dogs: Files, tmp_path: Path) -> None:
    files = cats_and_dogs(10)
    file = write(tmp_path / "x.parquet", table(files | {"cat/odd.png": b"odd"}))
    with pytest.raises(ImageError) as caught:
        open_data(str(file))
    assert str(caught.value).startswith(f"{file}, row 20 (cat/odd.png) is no image striate reads")
    skipped = open_data(str(file), DataOptions(bad_images="skip"))
    never = open_data(str(write(tmp_path / "y.parquet", table(files))))
    assert skipped.fingerprint == never.fingerprint


def test_an_image_without_bytes_is_named(cats_and_dogs: Files, tmp_path: Path) -> None:
    rows = table(cats_and_dogs(4))
    images = rows["image"].to_pylist()
    images[2]["bytes"] = None
    rows = rows.set_column(0, "image", pa.array(images))
    with pytest.raises(ImageError, match=r"row 2 \(cat/002\.png\) has no bytes in the file"):
        open_data(str(write(tmp_path / "x.parquet", rows.replace_schema_metadata(None))))


def test_several_labels_are_chosen_from_by_name(cats_and_dogs: Files, tmp_path: Path) -> None:
    rows = table(cats_and_dogs(10), names=None)
    rows = rows.append_column("coarse_label", rows["label"]).rename_columns(
        ["img", "fine_label", "coarse_label"]
    )
    feature = {"names": ["cat", "dog"], "_type": "ClassLabel"}
    info = {"info": {"features": {"img": {"_type": "Image"}, "fine_label": feature,
                                  "coarse_label": feature}}}  # fmt: skip
    rows = rows.replace_schema_metadata({"huggingface": json.dumps(info)})
    data = open_data(str(write(tmp_path / "x.parquet", rows)))
    assert "Labels are from column fine_label, not from coarse_label." in data.notes


def one(cats_and_dogs: Files) -> pa.Table:
    return table(cats_and_dogs(4))


BAD: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "no label": (
        lambda rows: rows.drop_columns(["label"]),
        "has no label among its columns image; write integers or strings in one named label",
    ),
    "a label of floats": (
        lambda rows: rows.set_column(1, "label", rows["label"].cast(pa.float64())),
        "has no label among its columns image, label",
    ),
    "no image": (
        lambda rows: rows.drop_columns(["image"]).append_column("text", rows["label"]),
        "has no column of encoded images among label, text; write one, named image",
    ),
    "two images": (
        lambda rows: rows.rename_columns(["left", "label"]).append_column("right", rows["image"]),
        "has 2 columns (left, right) of encoded images among left, label, right",
    ),
    "a label that is none": (
        lambda rows: rows.set_column(1, "label", pa.array([0, 1, 0, -1, 1, 0, 1, 1])),
        "row 3: label -1 is none of the 2 named classes (0 to 1); label it or drop it",
    ),
    "an empty label": (
        lambda rows: rows.set_column(1, "label", pa.array([0, 1, 0, None, 1, 0, 1, 1])),
        "row 3: label is empty; label it or drop it",
    ),
    "no rows": (lambda rows: rows.slice(0, 0), "has no rows; give a file with images"),
    "one class": (
        lambda rows: rows.set_column(1, "label", pa.array([1] * 8)),
        "x has one class only (dog); a classifier needs two or more",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_tables_that_cannot_be_used(name: str, cats_and_dogs: Files, tmp_path: Path) -> None:
    change, message = BAD[name]
    rows = table(cats_and_dogs(4))
    changed = change(rows).replace_schema_metadata(rows.schema.metadata)
    file = write(tmp_path / "x.parquet", changed)
    with pytest.raises(DataError) as caught:
        open_data(str(file))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [0, 50, -20])
def test_a_broken_file_is_named(cut: int, cats_and_dogs: Files, tmp_path: Path) -> None:
    file = write(tmp_path / "x.parquet", table(cats_and_dogs(4)))
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(DataError) as caught:
        open_data(str(file))
    assert str(caught.value).startswith(f"{file} is no readable parquet file (")
    assert "\n" not in str(caught.value)


def test_a_file_that_breaks_in_the_middle_is_named(cats_and_dogs: Files, tmp_path: Path) -> None:
    file = write(tmp_path / "x.parquet", table(cats_and_dogs(40)))
    data = bytearray(file.read_bytes())
    middle = len(data) // 3
    data[middle : middle + 4000] = bytes(4000)
    file.write_bytes(bytes(data))
    # Zeros may hit a page's header (said here) or its bytes (then an image is bad).
    with pytest.raises(DataError) as caught:
        open_data(str(file))
    assert str(caught.value).startswith(f"{file}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("train.parquet", "extra.parquet"), "has no train, validation or test in its name"),
        (("test.parquet", "val.parquet"), "has parquet files for test, val but none for train"),
    ],
)
def test_names_that_do_not_tell(
    names: tuple[str, str], message: str, cats_and_dogs: Files, tmp_path: Path
) -> None:
    for name in names:
        write(tmp_path / name, one(cats_and_dogs))
    with pytest.raises(DataError) as caught:
        open_data(str(tmp_path))
    assert message in str(caught.value)


def test_shards_must_agree_on_names(cats_and_dogs: Files, tmp_path: Path) -> None:
    write(tmp_path / "train-0.parquet", one(cats_and_dogs))
    write(tmp_path / "train-1.parquet", table(cats_and_dogs(4), names=("dog", "cat")))
    with pytest.raises(DataError, match=r"train-1\.parquet has other class names than .*train-0"):
        open_data(str(tmp_path))


def test_more_bytes_than_the_cache_are_refused(cats_and_dogs: Files, tmp_path: Path) -> None:
    file = write(tmp_path / "x.parquet", one(cats_and_dogs))
    with pytest.raises(DataError, match="of encoded images and the cache 1000; unpack it into"):
        open_data(str(file), DataOptions(cache_bytes=1000))


def test_pixels_beyond_the_cache_are_decoded_at_every_look(
    cats_and_dogs: Files, tmp_path: Path
) -> None:
    file = write(tmp_path / "x.parquet", table(cats_and_dogs(20, height=30, width=30)))
    held = open_data(str(file))
    size = pq.ParquetFile(file).metadata
    encoded = sum(size.row_group(i).total_byte_size for i in range(size.num_row_groups))
    looked = open_data(str(file), DataOptions(cache_bytes=encoded + 1))
    assert held.cached
    assert not looked.cached
    np.testing.assert_array_equal(
        held.train.pixels(np.arange(len(held.train))),
        looked.train.pixels(np.arange(len(held.train))),
    )
