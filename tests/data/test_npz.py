"""Archives of pixel arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from striate.data import DataOptions, open_data
from striate.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (40, 6, 8, 3), dtype=np.uint8)
Y = np.arange(40) % 4


def save(tmp_path: Path, **arrays: Any) -> str:
    np.savez(tmp_path / "some.npz", **arrays)
    return str(tmp_path / "some.npz")


def seen(path: str, options: DataOptions | None = None) -> set[tuple[str, bytes]]:
    data = open_data(path, options)
    return {
        (data.classes[label], image.tobytes())
        for split in data.splits
        for label, image in zip(
            split.labels.tolist(), split.pixels(np.arange(len(split))), strict=True
        )
    }


def wanted(x: NDArray[Any], y: NDArray[Any]) -> set[tuple[str, bytes]]:
    """``x`` channels last."""
    return {(str(label), np.ascontiguousarray(image.transpose(2, 0, 1)).tobytes())
            for image, label in zip(x, y.tolist(), strict=True)}  # fmt: skip


@pytest.mark.parametrize(
    ("x", "y"), [("images", "labels"), ("x", "y"), ("X", "y"), ("x_train", "y_train"),
                 ("train_images", "train_labels")],
)  # fmt: skip
def test_known_names(tmp_path: Path, x: str, y: str) -> None:
    assert seen(save(tmp_path, **{x: X, y: Y})) == wanted(X, Y)


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"),
        ("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"),
        ("train_x", "train_y", "validation_x", "validation_y", "test_x", "test_y"),
    ],
)
def test_given_splits(tmp_path: Path, names: tuple[str, ...]) -> None:
    parts = [X[:20], Y[:20], X[20:28], Y[20:28], X[28:], Y[28:]]
    data = open_data(save(tmp_path, **dict(zip(names, parts, strict=True))))
    assert [len(split) for split in data.splits] == [20, 8, 12]
    assert data.train.paths(np.arange(1))[0].startswith(names[0] + "[")


@pytest.mark.parametrize("x", [X, X.transpose(0, 3, 1, 2)], ids=["channels last", "channels first"])
def test_layouts(tmp_path: Path, x: NDArray[np.uint8]) -> None:
    data = open_data(save(tmp_path, images=x, labels=Y[:, None]))
    assert data.image == (3, 6, 8)
    assert seen(str(tmp_path / "some.npz")) == wanted(X, Y)


def test_gray_without_an_axis(tmp_path: Path) -> None:
    assert open_data(save(tmp_path, images=X[:, :, :, 0], labels=Y)).image == (1, 6, 8)


def test_many_channels_stay(tmp_path: Path) -> None:
    spectral = RNG.integers(0, 60_000, (40, 9, 9, 13), dtype=np.uint16)
    path = save(tmp_path, images=spectral, labels=Y)
    data = open_data(path, DataOptions(image=(6, 6)))
    assert data.image == (13, 6, 6)
    assert data.scale == 65535.0
    assert len(data.mean) == 13
    with pytest.raises(DataError, match="has 13 channels, which cannot become 3; leave the"):
        open_data(path, DataOptions(image=(3, 6, 6)))


@pytest.mark.parametrize(
    ("x", "scale", "note"),
    [
        (X.astype(np.int64), 255.0, "Integer pixels of 0 to 255 are kept as uint8."),
        (X.astype(np.int32) * 200, 65535.0, "Integer pixels of 0 to 51000 are kept as uint16."),
        (X.astype(np.uint16), 65535.0, None),
        (X > 127, 255.0, "Boolean pixels became 0 and 255."),
    ],
    ids=["int64", "int32", "uint16", "bool"],
)
def test_integers_keep_their_values(
    tmp_path: Path, x: NDArray[Any], scale: float, note: str | None
) -> None:
    path = save(tmp_path, images=x, labels=Y)
    data = open_data(path)
    assert data.scale == scale
    kind = np.uint8 if scale == 255 else np.uint16
    kept = x.astype(kind) * (np.uint8(255) if x.dtype == np.bool_ else kind(1))
    assert seen(path) == wanted(kept, Y)
    assert (note in data.notes) if note else not any("pixels" in said for said in data.notes)


def test_labels_sort_as_numbers_or_as_text(tmp_path: Path) -> None:
    assert open_data(save(tmp_path, x=X, y=Y * 5)).classes == ("0", "5", "10", "15")
    words = np.array(["b", "a", "10", "9"])[Y]
    assert open_data(save(tmp_path, x=X, y=words)).classes == ("10", "9", "a", "b")
    assert open_data(save(tmp_path, x=X, y=Y > 1)).classes == ("0", "1")


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    one = open_data(save(tmp_path, x=X, y=Y)).fingerprint
    turned = RNG.permutation(40)
    assert open_data(save(tmp_path, x=X[turned], y=Y[turned])).fingerprint == one


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": X}, "has the arrays a; striate looks for x_train and y_train, train_images and"),
        ({}, "has the arrays none; striate looks for"),
        ({"x_test": X, "y_test": Y}, "has the arrays x_test, y_test; striate looks for"),
        ({"x": X, "y": Y[:30]}, "x has 40 images and y 30 labels; give one label per image"),
        ({"x": X[:0], "y": Y[:0]}, "x is empty; give it images or leave it out"),
        ({"x": X / 255, "y": Y}, "pixels of train are float64; store integers (8-bit from 0"),
        ({"x": X.astype(int) - 1, "y": Y}, "pixels run from -1 to 254; store them as 8-bit or"),
        ({"x": X.astype(int) * 999, "y": Y}, "pixels run from 0 to 254745; store them as"),
        ({"x": X[:, 0, 0], "y": Y}, "x has the shape 40x3; use (N, H, W), (N, H, W, C) or"),
        ({"x": np.zeros((4, 20, 20, 20), np.uint8), "y": Y[:4]}, "x has the shape 4x20x20x20"),
        ({"x": X, "y": np.eye(4)[Y]}, "y has the shape 40x4 and type float64; use one integer"),
        ({"x": X, "y": Y * 0}, "some has one class only (0); a classifier needs two or more"),
        (
            {"x_train": X, "y_train": Y, "x_test": X[:4], "y_test": Y[:4] + 2},
            "test has class '4', of which train has no image",
        ),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        open_data(save(tmp_path, **arrays))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    path = save(tmp_path, x=X, y=np.array([{"a": 1}] * 40, dtype=object))
    with pytest.raises(DataError, match=r"is no readable \.npz of plain arrays \(Object arrays"):
        open_data(path)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\3\4broken"])
def test_a_broken_archive_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_data(str(tmp_path / "x.npz"))
    assert str(caught.value).startswith(f"{tmp_path}/x.npz is no readable .npz of plain arrays (")
    assert "\n" not in str(caught.value)
