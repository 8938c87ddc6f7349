"""Folders that cannot be used, each with its one line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from striate.data import DataOptions, open_data
from striate.errors import DataError

Write = Callable[..., Path]
Files = Callable[..., dict[str, bytes]]
Encode = Callable[..., bytes]
Picture = Callable[..., NDArray[np.uint8]]


BAD_FOLDERS: dict[str, tuple[dict[str, Any], DataOptions, str]] = {
    "empty": ({}, DataOptions(), "is empty; put a folder of images per class into it"),
    "images and no classes": (
        {"1.png": 1}, DataOptions(),
        "has no class folders; put the images of each class into a folder of its own",
    ),
    "one class": (
        {"cat/1.png": 1, "cat/2.png": 2}, DataOptions(),
        "images has one class only (cat); a classifier needs two or more",
    ),
    "a class without images": (
        {"cat/1.png": 1, "dog/note.txt": 0}, DataOptions(),
        "dog holds no images; add some, or remove the folder",
    ),
    "an image beside the classes": (
        {"cat/1.png": 1, "dog/1.png": 2, "3.PNG": 3}, DataOptions(),
        "3.PNG lies outside any class folder; move it into the folder of its class, or away",
    ),
    "an image beside the splits": (
        {"train/cat/1.png": 1, "train/dog/1.png": 2, "3.jpg": 3}, DataOptions(),
        "3.jpg lies outside any class folder",
    ),
    "a class beside the splits": (
        {"train/cat/1.png": 1, "dog/1.png": 2}, DataOptions(),
        "has split folders (train) and beside them 'dog'; move it away, or name it train, val or",
    ),
    "two folders for one split": (
        {"train/a/1.png": 1, "val/a/1.png": 2, "valid/a/1.png": 3}, DataOptions(),
        "has two folders for val: 'val' and 'valid'; merge them or take one away",
    ),
    "no train": (
        {"test/a/1.png": 1, "val/a/1.png": 2}, DataOptions(),
        "has test, val but no train; add a train folder",
    ),
    "a class that only test has": (
        {"train/a/1.png": 1, "train/b/1.png": 2, "test/c/1.png": 3}, DataOptions(),
        "test has class 'c', of which train has no image; add training images or take it out of",
    ),
    "too few for a test split": (
        {"a/1.png": 1, "b/1.png": 2}, DataOptions(),
        "a share of 0.2 of 2 images leaves no test image; add images, give a test split, or",
    ),
    "a file that no group matches": (
        {"a/p1_1.png": 1, "a/x.png": 2, "b/p2_1.png": 3}, DataOptions(group=r"p\d"),
        "a/x.png does not match group 'p\\\\d'; use an expression that every path matches",
    ),
    "an optional group that is not there": (
        {"a/p1.png": 1, "a/x.png": 2, "b/p2.png": 3}, DataOptions(group=r"(p\d)?"),
        "does not match group '(p\\\\d)?'",
    ),
    "a group on both sides as given": (
        {"train/a/p1_1.png": 1, "train/b/p2_1.png": 2, "test/a/p1_2.png": 3},
        DataOptions(group=r"p\d"),
        "group 'p1' is in both train and test as given; move its files to one side, or leave",
    ),
    "one group alone": (
        {"a/p1_1.png": 1, "b/p1_2.png": 2, "a/p1_3.png": 3, "b/p1_4.png": 4},
        DataOptions(group=r"p\d"),
        "leaves no test image; add images, give a test split, or take a larger test share or",
    ),
    "nothing but bad images in a class": (
        {"a/1.png": 1, "a/2.png": 2, "b/1.png": b"x"}, DataOptions(bad_images="skip"),
        "class 'b' has no training image; add images or remove it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FOLDERS)
def test_folders_that_cannot_be_used(
    name: str, write_folder: Write, make_picture: Picture, encode: Encode
) -> None:
    files, options, message = BAD_FOLDERS[name]
    written = {
        path: value if isinstance(value, bytes) else encode(make_picture(value))
        for path, value in files.items()
    }
    with pytest.raises(DataError) as caught:
        open_data(str(write_folder(written)), options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_rights_is_named(
    write_folder: Write, cats_and_dogs: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_folder(cats_and_dogs(3))
    real = os.scandir

    def refuse(folder: Path) -> Any:
        if folder == root / "cat":
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError) as caught:
        open_data(str(root))
    assert str(caught.value) == f"{root}/cat cannot be read (Permission denied); check its rights"


def test_a_file_that_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("x")
    with pytest.raises(DataError, match=r"labels\.csv is no data set; give a folder with a folder"):
        open_data(str(tmp_path / "labels.csv"))
