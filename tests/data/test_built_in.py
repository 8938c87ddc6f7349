"""digits and shapes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from striate.data import DataOptions, Dataset, open_data
from striate.errors import DataError


@pytest.fixture(scope="module")
def shapes() -> Dataset:
    return open_data("shapes", DataOptions(count=200))


def test_digits_are_scikit_learns() -> None:
    data = open_data("digits")
    assert data.classes == tuple("0123456789")
    assert (data.image, data.scale, data.pixel_range) == ((1, 8, 8), 16.0, (0, 16))
    assert [len(split) for split in data.splits] == [1259, 179, 359]
    found = load_digits()
    expected = {(label, image.tobytes()) for label, image in
                zip(found.target.tolist(), found.images.astype(np.uint8), strict=True)}  # fmt: skip
    seen = {
        (label, image.tobytes())
        for split in data.splits
        for label, image in zip(
            split.labels.tolist(), split.pixels(np.arange(len(split))), strict=True
        )
    }
    assert seen == expected
    train = data.train.pixels(np.arange(len(data.train))) / 16
    assert data.mean[0] == pytest.approx(train.mean(), rel=1e-12)
    assert data.std[0] == pytest.approx(train.std(), rel=1e-12)


def test_every_class_is_shared_alike() -> None:
    counts = open_data("digits").class_counts()
    for split, share in (("test", 0.2), ("val", 0.1)):
        for of_class in counts.values():
            total = sum(of_class.values())
            assert of_class[split] == int(np.floor(share * total + 0.5))


def test_splits_do_not_overlap_and_ids_ascend() -> None:
    data = open_data("digits")
    ids = np.concatenate([split.ids for split in data.splits])
    assert len(np.unique(ids)) == len(ids) == 1797
    assert all((np.diff(split.ids.astype(float)) > 0).all() for split in data.splits)


def test_digits_at_another_size() -> None:
    data = open_data("digits", DataOptions(image=(3, 16, 16)))
    assert data.image == (3, 16, 16)
    assert data.train.pixels(np.arange(2)).shape == (2, 3, 16, 16)
    assert data.pixel_range[1] <= 16
    assert any("from 1x8x8 to 3x16x16 by crop" in note for note in data.notes)


def test_digits_have_no_paths_to_group_by() -> None:
    with pytest.raises(DataError, match="looks at paths, and digits has none; leave it out"):
        open_data("digits", DataOptions(group=r"\d+"))


def test_digits_do_not_know_where_their_ink_is_planted() -> None:
    with pytest.raises(DataError, match="does not know where its objects are; use the data set"):
        open_data("digits").train.truth(np.arange(2))


def test_shapes_are_a_function_of_seed_and_number(shapes: Dataset) -> None:
    again = open_data("shapes", DataOptions(count=200))
    more = open_data("shapes", DataOptions(count=300))
    other = open_data("shapes", DataOptions(count=200, seed=1))
    everything = np.arange(len(shapes.train))
    assert shapes.fingerprint == again.fingerprint != other.fingerprint
    np.testing.assert_array_equal(shapes.train.pixels(everything), again.train.pixels(everything))
    by_id = {
        int(i): split.pixels(np.array([n]))[0]
        for split in more.splits
        for n, i in enumerate(split.ids)
    }
    for n, i in enumerate(shapes.train.ids.tolist()):
        np.testing.assert_array_equal(shapes.train.pixels(np.array([n]))[0], by_id[i])


def test_the_object_is_where_the_truth_says(shapes: Dataset) -> None:
    indices = np.arange(len(shapes.train))
    truth = shapes.train.truth(indices)
    pixels = shapes.train.pixels(indices).astype(float)
    for image, mask, (top, left, bottom, right) in zip(
        pixels, truth.masks, truth.boxes.tolist(), strict=True
    ):
        assert 0 <= top < bottom <= 32
        assert 0 <= left < right <= 32
        assert mask[top:bottom, left:right].sum() == mask.sum() > 30
        assert mask[top].any()
        assert mask[:, left].any()
        # A shaded ground: a plane fits what lies clear of the object, and not the object.
        far = np.ones_like(mask)
        far[max(top - 2, 0) : bottom + 2, max(left - 2, 0) : right + 2] = False
        rows, columns = np.mgrid[:32, :32]
        plane = np.stack([np.ones(1024), rows.ravel(), columns.ravel()], axis=1)
        for channel in image:
            fit = np.linalg.lstsq(plane[far.ravel()], channel[far], rcond=None)[0]
            rest = np.abs(channel - (plane @ fit).reshape(32, 32))
            assert rest[far].max() < 16
            assert np.median(rest[mask]) > 16 or channel[mask].std() > 16


def test_truth_is_that_of_the_asked_samples(shapes: Dataset) -> None:
    some = np.array([7, 3])
    truth = shapes.test.truth(some)
    whole = shapes.test.truth(np.arange(10))
    np.testing.assert_array_equal(truth.masks, whole.masks[some])
    np.testing.assert_array_equal(truth.boxes, whole.boxes[some])


def test_shapes_at_any_size() -> None:
    assert open_data("shapes:24", DataOptions(count=50)).image == (3, 24, 24)
    assert open_data("shapes:20x24", DataOptions(count=50)).image == (3, 20, 24)
    assert open_data("shapes", DataOptions(count=50, image=(1, 40, 16))).image == (1, 40, 16)


def test_shapes_that_cannot_be() -> None:
    with pytest.raises(DataError, match="cannot be told apart at 8x8; use sides of 16 or more"):
        open_data("shapes:8")
    with pytest.raises(DataError, match="need 307200 bytes and the cache has 1000; use fewer"):
        open_data("shapes", DataOptions(count=100, cache_bytes=1000))
    with pytest.raises(DataError, match="class 'stripes' has no training image"):
        open_data("shapes", DataOptions(count=9))


def test_shapes_can_be_learned_from_but_not_by_their_mean_colour(shapes: Dataset) -> None:
    """Colours tell nothing of the class: nearest mean colour stays near chance (1 in 10)."""
    pixels = shapes.train.pixels(np.arange(len(shapes.train))).mean(axis=(2, 3))
    centres = np.stack([pixels[shapes.train.labels == c].mean(axis=0) for c in range(10)])
    test = shapes.test.pixels(np.arange(len(shapes.test))).mean(axis=(2, 3))
    guess = np.linalg.norm(test[:, None] - centres, axis=2).argmin(axis=1)
    assert (guess == shapes.test.labels).mean() < 0.35


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "digit",
            "DATA 'digit' is neither built in nor a folder or file here; did you mean digits?",
        ),
        (
            "imagenet",
            "choose from digits, shapes, or give a folder with a folder per class, parquet",
        ),
        ("hub:user/name", "choose from digits, shapes"),
        ("nowhere/images", "nowhere/images does not exist; check the path"),
        ("shapes:", "did you mean shapes?"),
    ],
)
def test_data_that_is_not_there(spec: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        open_data(spec)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_a_share_of_the_training_images(share: float) -> None:
    whole, part = open_data("digits"), open_data("digits", DataOptions(share=share))
    assert set(part.train.ids.tolist()) < set(whole.train.ids.tolist())
    for split in ("val", "test"):
        assert np.array_equal(getattr(part, split).ids, getattr(whole, split).ids)
    counts = {name: found["train"] for name, found in whole.class_counts().items()}
    for name, found in part.class_counts().items():
        assert abs(found["train"] - share * counts[name]) <= 1
    assert f"train: {len(part.train)} of 1259 images, a share of {share:g}." in part.notes
    assert part.fingerprint != whole.fingerprint
