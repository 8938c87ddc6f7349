"""Cross-validation's parts: alike in their classes, groups whole, the test split in none."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from striate.data import DataOptions, Dataset, open_data
from striate.data.folding import fold_numbers
from striate.errors import DataError


def png(seed: int) -> bytes:
    """The bytes of a picture of noise."""
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


Write = Callable[[Mapping[str, bytes]], Path]


def words(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**63, count, dtype=np.uint64)


def opened(data: Path | str, folds: int, **options: object) -> list[Dataset]:
    return [
        open_data(str(data), DataOptions(fold=(number, folds), **options))  # pyright: ignore[reportArgumentType] # options of many types
        for number in range(1, folds + 1)
    ]


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(5, 40), min_size=2, max_size=6),
    folds=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_of_single_images_every_class_is_dealt_out_evenly(
    sizes: list[int], folds: int, seed: int
) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    found = fold_numbers(labels, words(len(labels)), classes=len(sizes), folds=folds, seed=seed)
    counts = np.array([np.bincount(labels[found == f], minlength=len(sizes)) for f in range(folds)])
    assert (counts.max(0) - counts.min(0) <= 1).all()
    assert counts.sum() == len(labels)
    assert np.ptp(counts.sum(1)) <= 1 + len(sizes)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999))
def test_groups_stay_whole_and_listing_order_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    units, labels = words(20)[rng.integers(0, 20, 90)], rng.integers(0, 3, 90)
    shuffled = rng.permutation(90)
    one = fold_numbers(labels, units, classes=3, folds=3, seed=5)
    two = fold_numbers(labels[shuffled], units[shuffled], classes=3, folds=3, seed=5)
    assert (one[shuffled] == two).all()
    for unit in np.unique(units):
        assert len(set(one[units == unit].tolist())) == 1


def test_even_groups_are_dealt_out_evenly() -> None:
    labels = np.repeat([0, 1], 24)
    units = np.repeat(words(12), 4)  # six groups of four images of either class
    found = fold_numbers(labels, units, classes=2, folds=3, seed=1)
    for fold in range(3):
        assert np.bincount(labels[found == fold]).tolist() == [8, 8]


def test_the_seed_chooses() -> None:
    labels = np.repeat([0, 1], 50)
    one, two = (fold_numbers(labels, words(100), classes=2, folds=4, seed=s) for s in (0, 1))
    assert (one != two).any()


def test_each_image_is_validated_on_once_and_the_test_split_is_a_plain_fits() -> None:
    plain = open_data("digits")
    folds = opened("digits", 3)
    for fold in folds:
        assert fold.test.ids.tolist() == plain.test.ids.tolist()
        assert not set(fold.train.ids.tolist()) & set(fold.val.ids.tolist())
    together = np.sort(np.concatenate([fold.val.ids for fold in folds]))
    assert together.tolist() == np.sort(np.concatenate([plain.train.ids, plain.val.ids])).tolist()
    assert len({fold.fingerprint for fold in folds}) == 3
    assert folds[0].mean != folds[1].mean  # of what the fold trains on
    note = next(note for note in folds[1].notes if note.startswith("val:"))
    assert note.startswith(f"val: {len(folds[1].val)} images, fold 2 of 3 of the 1438 that are not")


def test_a_split_that_came_as_val_is_in_the_folds(write_folder: Write) -> None:
    files = {
        f"{split}/{name}/{number}.png": png(1000 * which + number + 100 * at)
        for at, (split, count) in enumerate((("train", 6), ("val", 3), ("test", 2)))
        for which, name in enumerate(("cat", "dog"))
        for number in range(count)
    }
    root = write_folder(files)
    folds = opened(root, 3)
    for fold in folds:
        assert (len(fold.train), len(fold.val), len(fold.test)) == (12, 6, 4)
        assert np.bincount(fold.val.labels).tolist() == [3, 3]
    paths = [p for fold in folds for p in fold.val.paths(np.arange(len(fold.val)))]
    assert sorted(paths) == sorted(path for path in files if not path.startswith("test"))
    plain = open_data(str(root))
    held = {
        id_: pixels.tolist()
        for id_, pixels in zip(
            plain.val.ids.tolist(), plain.val.pixels(np.arange(len(plain.val))), strict=True
        )
    }
    seen = 0
    for fold in folds:
        for i, id_ in enumerate(fold.val.ids.tolist()):
            if id_ in held:
                assert fold.val.pixels(np.array([i]))[0].tolist() == held[id_]
                seen += 1
    assert seen == 6


def test_arrays_that_came_with_val_are_joined(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    for split, count in (("train", 12), ("val", 6), ("test", 4)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, 8, 8), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(count) % 2
    np.savez(tmp_path / "data.npz", **arrays)  # pyright: ignore[reportArgumentType] # numpy has allow_pickle among them
    folds = opened(tmp_path / "data.npz", 3)
    assert [(len(f.train), len(f.val), len(f.test)) for f in folds] == [(12, 6, 4)] * 3
    assert len({i for f in folds for i in f.val.ids.tolist()}) == 18


def test_groups_are_respected(write_folder: Write) -> None:
    files = {
        f"{name}/p{number % 5}-{number}.png": png(1000 * which + number)
        for which, name in enumerate(("cat", "dog"))
        for number in range(20)
    }
    root = write_folder(files)
    for fold in opened(root, 2, group=r"\w+/p\d"):
        sides = [
            {path.split("-")[0] for path in split.paths(np.arange(len(split)))}
            for split in fold.splits
        ]
        assert not sides[0] & sides[1]
        assert not sides[0] & sides[2]
        assert len(sides[1]) == 4  # two of the four groups that are left of either class
    with pytest.raises(DataError) as caught:
        opened(root, 5, group=r"\w+/p\d")
    assert "class 'cat' has 4 groups outside the test split, and 5 folds need one each" in str(
        caught.value
    )


def test_more_folds_than_a_class_has_images(write_folder: Write) -> None:
    root = write_folder(
        {
            f"{name}/{n}.png": png(ord(name[0]) + 1000 * n)
            for name in ("cat", "dog")
            for n in range(5)
        }
    )
    with pytest.raises(DataError) as caught:
        opened(root, 6)
    assert str(caught.value).endswith(
        "class 'cat' has 4 different images outside the test split, and 6 folds need one each; "
        "use 4 folds at most, or add images"
    )


@pytest.mark.parametrize("fold", [(0, 3), (4, 3), (1, 1)])
def test_a_fold_that_cannot_be(fold: tuple[int, int]) -> None:
    with pytest.raises(DataError, match=f"fold {fold[0]} of {fold[1]} cannot be"):
        DataOptions(fold=fold)
