"""Folders with a folder per class."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from striate.data import Augment, DataOptions, Dataset, epoch_plan, load_batch, open_data
from striate.errors import ImageError

Write = Callable[..., Path]
Files = Callable[..., dict[str, bytes]]
Encode = Callable[..., bytes]
Picture = Callable[..., NDArray[np.uint8]]


def all_pixels(data: Dataset) -> dict[int, bytes]:
    return {
        int(i): split.pixels(np.array([n])).tobytes()
        for split in data.splits
        for n, i in enumerate(split.ids)
    }


def test_a_plain_folder_is_divided(write_folder: Write, cats_and_dogs: Files) -> None:
    root = write_folder(cats_and_dogs(20))
    data = open_data(str(root))
    assert data.name == "images"
    assert data.classes == ("cat", "dog")
    assert data.image == (3, 12, 16)
    assert data.class_counts() == {
        "cat": {"train": 14, "val": 2, "test": 4},
        "dog": {"train": 14, "val": 2, "test": 4},
    }
    assert data.sizes.uniform
    assert not data.crops
    assert data.scale == 255.0


def test_pixels_and_labels_belong_to_the_file(
    write_folder: Write, cats_and_dogs: Files, make_picture: Picture
) -> None:
    data = open_data(str(write_folder(cats_and_dogs(5))))
    everything = np.arange(len(data.train))
    for path, label, pixels in zip(
        data.train.paths(everything), data.train.labels, data.train.pixels(everything), strict=True
    ):
        name, number = path.removesuffix(".png").split("/")
        assert data.classes[label] == name
        expected = make_picture(1000 * (name == "dog") + int(number))
        np.testing.assert_array_equal(pixels.transpose(1, 2, 0), expected)


@pytest.mark.parametrize("words", [("train", "val", "test"), ("Training", "valid", "testing")])
def test_given_splits_are_kept(
    write_folder: Write, cats_and_dogs: Files, words: tuple[str, str, str]
) -> None:
    files = cats_and_dogs(6)
    where = {path: words[int(path[-5]) % 3] for path in files}
    root = write_folder({f"{where[path]}/{path}": data for path, data in files.items()})
    data = open_data(str(root))
    assert [len(split) for split in data.splits] == [4, 4, 4]
    assert all(path.startswith(words[2]) for path in data.test.paths(np.arange(4)))


def test_val_comes_from_train_and_never_from_test(
    write_folder: Write, cats_and_dogs: Files
) -> None:
    files = {f"train/{path}": data for path, data in cats_and_dogs(20).items()}
    files |= {f"test/{path}": data for path, data in cats_and_dogs(3).items()}
    data = open_data(str(write_folder(files)), DataOptions(val=0.25))
    assert [len(split) for split in data.splits] == [30, 10, 6]
    assert all(path.startswith("train/") for path in data.val.paths(np.arange(10)))
    assert any("exact copies of training images" in note for note in data.notes)


def test_no_val_when_none_is_asked_for(write_folder: Write, cats_and_dogs: Files) -> None:
    data = open_data(str(write_folder(cats_and_dogs(5))), DataOptions(val=0))
    assert len(data.val) == 0
    assert "val: no validation split." in data.notes


def test_a_split_that_lacks_a_class_keeps_the_numbering(
    write_folder: Write, cats_and_dogs: Files
) -> None:
    files = {f"train/{path}": data for path, data in cats_and_dogs(4).items()}
    files["test/dog/x.png"] = next(iter(cats_and_dogs(1).values()))
    data = open_data(str(write_folder(files)))
    assert data.classes == ("cat", "dog")
    assert data.test.labels.tolist() == [1]


def test_everything_depends_on_content_not_on_listing_or_names(
    write_folder: Write, cats_and_dogs: Files
) -> None:
    files = cats_and_dogs(20)
    renamed = {
        f"{path.split('/')[0]}/{99 - int(path[-7:-4])}.PNG": data for path, data in files.items()
    }
    one = open_data(str(write_folder(files)))
    two = open_data(str(write_folder(renamed, "renamed")))
    assert one.fingerprint == two.fingerprint
    assert all_pixels(one) == all_pixels(two)
    assert (one.mean, one.std) == (two.mean, two.std)
    for augment in (None, Augment(flip=True, translate=2, cutout=4, crop=True)):
        for plan_one, plan_two in zip(
            epoch_plan(one.train, seed=1, epoch=3, batch_size=5),
            epoch_plan(two.train, seed=1, epoch=3, batch_size=5),
            strict=True,
        ):
            a = load_batch(one.train, plan_one, augment=augment, seed=1, epoch=3)
            b = load_batch(two.train, plan_two, augment=augment, seed=1, epoch=3)
            np.testing.assert_array_equal(a.ids, b.ids)
            np.testing.assert_array_equal(a.pixels, b.pixels)


def test_images_at_any_depth_below_their_class(write_folder: Write, cats_and_dogs: Files) -> None:
    files = {path.replace("/", "/patient7/scans/"): data for path, data in cats_and_dogs(5).items()}
    root = write_folder(files)
    (root / "cat" / "loop").symlink_to(root / "cat")
    data = open_data(str(root))
    assert sum(len(split) for split in data.splits) == 10


def test_notes_beside_images_are_counted_and_hidden_files_ignored(
    write_folder: Write, cats_and_dogs: Files
) -> None:
    more = {"cat/Thumbs.db": b"x", "dog/labels.txt": b"x", "README.md": b"x", "LICENSE": b"x"}
    hidden = {".DS_Store": b"x", "cat/._001.png": b"x", "__MACOSX/cat/1.png": b"x",
              ".ipynb_checkpoints/1.png": b"x"}  # fmt: skip
    data = open_data(str(write_folder(cats_and_dogs(5) | more | hidden)))
    assert data.classes == ("cat", "dog")
    assert sum(len(split) for split in data.splits) == 10
    assert ("Files passed over, since they are no images: 4 "
            "(LICENSE, README.md, cat/Thumbs.db, …).") in data.notes  # fmt: skip


def test_groups_stay_on_one_side(write_folder: Write, cats_and_dogs: Files) -> None:
    files = {
        path.replace("/", f"/p{int(path[-7:-4]) // 4}_"): data
        for path, data in cats_and_dogs(40).items()
    }
    data = open_data(str(write_folder(files)), DataOptions(group=r"(p\d+)_"))
    sides = [
        {path.split("/")[1].split("_")[0] for path in split.paths(np.arange(len(split)))}
        for split in data.splits
    ]
    assert all(sides)
    assert len(set.union(*sides)) == sum(map(len, sides)) == 10
    assert any("chosen by group" in note for note in data.notes)


def test_copies_of_an_image_stay_on_one_side(write_folder: Write, cats_and_dogs: Files) -> None:
    files = cats_and_dogs(20)
    files |= {path.replace(".png", "copy.png"): data for path, data in files.items()}
    data = open_data(str(write_folder(files)))
    sides = [
        {path.replace("copy", "") for path in split.paths(np.arange(len(split)))}
        for split in data.splits
    ]
    assert sum(map(len, sides)) == 40
    assert sum(len(split) for split in data.splits) == 80
    assert len(np.unique(np.concatenate([split.ids for split in data.splits]))) == 80


def test_mixed_sizes_meet_at_the_median(
    write_folder: Write, make_picture: Picture, encode: Encode
) -> None:
    files = {
        f"{name}/{number}.png": encode(make_picture(number, 40 + number, 90))
        for name in ("a", "b")
        for number in range(20)
    }
    data = open_data(str(write_folder(files)))
    # Short sides 40 to 59; the median of the training images is near 50, and 48 = 3 · 16.
    assert data.image == (3, 48, 48)
    assert data.crops
    assert (data.sizes.least, data.sizes.greatest) == ((40, 90), (59, 90))
    assert data.sizes.median == (49, 90)
    note = "Images brought to 48x48 (the training images' median short side to the nearest 16)"
    assert any(note in said for said in data.notes)
    original = data.train.originals(np.array([0]))[0]
    assert original.shape[2] == 90


@pytest.mark.parametrize(("side", "expected"), [(5, 16), (23, 16), (25, 32), (500, 224)])
def test_the_side_is_bounded(
    write_folder: Write, make_picture: Picture, encode: Encode, side: int, expected: int
) -> None:
    files = {
        f"{name}/{number}.png": encode(make_picture(number, side, side + number))
        for name in ("a", "b")
        for number in range(4)
    }
    assert open_data(str(write_folder(files))).image == (3, expected, expected)


def test_an_asked_size_is_taken(write_folder: Write, cats_and_dogs: Files) -> None:
    root = write_folder(cats_and_dogs(5))
    data = open_data(str(root), DataOptions(image=(1, 8, 10), fit="stretch"))
    assert data.image == (1, 8, 10)
    assert data.train.pixels(np.arange(2)).shape == (2, 1, 8, 10)
    assert any("Images brought to 8x10 (as asked) by stretch: 10 of 10." in n for n in data.notes)
    assert any("Colour images became gray (ITU-R BT.601 luma): 10." in n for n in data.notes)


def test_gray_alone_has_one_channel_and_mixed_three(
    write_folder: Write, make_picture: Picture, encode: Encode
) -> None:
    gray = {f"{name}/{i}.png": encode(make_picture(i, channels=1))
            for name in ("a", "b") for i in range(4)}  # fmt: skip
    assert open_data(str(write_folder(gray))).image == (1, 12, 16)
    mixed = open_data(str(write_folder(gray | {"a/c.png": encode(make_picture(9))}, "mixed")))
    assert mixed.image == (3, 12, 16)
    assert "Gray images were given three equal channels: 8." in mixed.notes


def test_sixteen_bits_stay_and_eight_are_scaled_exactly(
    write_folder: Write, make_picture: Picture, encode: Encode
) -> None:
    deep = make_picture(0, channels=1).astype(np.uint16) * 257 + 3
    files = {f"{name}/{i}.png": encode((deep + i).astype(np.uint16))
             for name in ("a", "b") for i in range(4)}  # fmt: skip
    files["a/shallow.png"] = encode(make_picture(7, channels=1))
    data = open_data(str(write_folder(files)))
    assert data.scale == 65535.0
    assert "Images of 16 bits are kept at that depth: 8." in data.notes
    assert "8-bit images were multiplied by 257 to 16 bits: 1." in data.notes
    for split in data.splits:
        pixels = split.pixels(np.arange(len(split)))
        assert pixels.dtype == np.uint16
        for path, image in zip(split.paths(np.arange(len(split))), pixels, strict=True):
            expected = (
                make_picture(7, channels=1)[:, :, 0].astype(np.uint16) * 257
                if "shallow" in path
                else deep[:, :, 0] + int(path[2])
            )
            np.testing.assert_array_equal(image[0], expected)


def test_without_room_images_are_decoded_at_every_look(
    write_folder: Write, cats_and_dogs: Files
) -> None:
    root = write_folder(cats_and_dogs(20))
    held = open_data(str(root))
    looked = open_data(str(root), DataOptions(cache_bytes=1000, disk_bytes=1000))
    assert held.cached
    assert not looked.cached
    assert any("decoded at every look" in note for note in looked.notes)
    assert held.fingerprint == looked.fingerprint
    assert all_pixels(held) == all_pixels(looked)
    assert (held.mean, held.std, held.pixel_range) == (looked.mean, looked.std, looked.pixel_range)


def test_a_file_that_vanishes_is_named(write_folder: Write, cats_and_dogs: Files) -> None:
    root = write_folder(cats_and_dogs(5))
    data = open_data(str(root), DataOptions(cache_bytes=0, disk_bytes=0))
    path = data.train.paths(np.array([2]))[0]
    (root / path).unlink()
    with pytest.raises(ImageError) as caught:
        data.train.pixels(np.arange(len(data.train)))
    assert str(caught.value) == (
        f"{root}/{path} cannot be read (No such file or directory); "
        "mend or remove it, or leave bad images out (--bad-images skip)"
    )


@pytest.mark.parametrize("cache", [0, 1 << 30])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"text, not an image", "is no image striate reads (its first bytes are b'text, no')"),
        (None, "cannot be decoded"),
    ],
)
def test_bad_images_are_named_or_skipped(
    write_folder: Write, cats_and_dogs: Files, data: bytes | None, reason: str, cache: int
) -> None:
    good = cats_and_dogs(10)
    bad = data if data is not None else good["cat/003.png"][:-60]
    root = write_folder(good | {"dog/odd.png": bad})
    with pytest.raises(ImageError) as caught:
        open_data(str(root), DataOptions(cache_bytes=cache))
    message = str(caught.value)
    assert message.startswith(f"{root}/dog/odd.png {reason}")
    assert message.endswith("mend or remove it, or leave bad images out (--bad-images skip)")
    skipped = open_data(str(root), DataOptions(bad_images="skip", cache_bytes=cache))
    assert any(f"Bad images skipped: 1 (dog/odd.png {reason}" in note for note in skipped.notes)
    never = open_data(str(write_folder(good, "never")), DataOptions(cache_bytes=cache))
    assert skipped.fingerprint == never.fingerprint
    assert (skipped.mean, skipped.std) == (never.mean, never.std)
    assert all_pixels(skipped) == all_pixels(never)


def test_many_bad_images_are_counted(write_folder: Write, cats_and_dogs: Files) -> None:
    bad = {f"cat/bad{i}.png": b"x" for i in range(7)}
    root = write_folder(cats_and_dogs(5) | bad)
    with pytest.raises(ImageError, match=r"bad0\.png is no image .* \(and 6 more\); mend or"):
        open_data(str(root))
    data = open_data(str(root), DataOptions(bad_images="skip"))
    note = next(note for note in data.notes if note.startswith("Bad images skipped: 7"))
    assert note.count(".png") == 5
    assert note.endswith("… 2 more).")


def test_a_constant_channel_is_said(write_folder: Write, encode: Encode) -> None:
    def flat(level: int) -> bytes:
        pixels = np.full((8, 8, 3), 7, dtype=np.uint8)
        pixels[level:, :, 1:] = 100
        return encode(pixels)

    files = {f"{name}/{i}.png": flat(i + 1) for name in "ab" for i in range(5)}
    data = open_data(str(write_folder(files)))
    assert data.std[0] == 1.0
    assert 0 < data.std[1] < 1
    assert ("Channel 0 is constant over the training split; its deviation is taken as 1."
            in data.notes)  # fmt: skip


def test_progress_reaches_the_end(write_folder: Write, cats_and_dogs: Files) -> None:
    calls: list[tuple[int, int]] = []
    open_data(
        str(write_folder(cats_and_dogs(50))),
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls[-1] == (200, 200)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert {total for _, total in calls} == {200}


def test_description_is_plain_values(write_folder: Write, cats_and_dogs: Files) -> None:
    import json

    data = open_data(str(write_folder(cats_and_dogs(10))))
    described = json.loads(json.dumps(data.describe()))
    assert described["images"] == {"train": 14, "val": 2, "test": 4}
    assert described["range"] == list(data.pixel_range)
    assert described["sizes"]["median"] == [12, 16]


def test_names_that_are_no_utf8(write_folder: Write, cats_and_dogs: Files) -> None:
    root = write_folder(cats_and_dogs(5))
    odd = os.fsdecode(b"caf\xe9.png")
    (root / "cat" / "000.png").rename(root / "cat" / odd)
    data = open_data(str(root))
    paths = [path for split in data.splits for path in split.paths(np.arange(len(split)))]
    assert f"cat/{odd}" in paths
