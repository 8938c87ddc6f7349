"""Descriptions: every odd and bad file, 23 kinds of faulty set, and ``fit``'s own figures."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from odd_files import BAD, GOOD
from PIL import Image

from striate.data import DataOptions, describe_data, open_data
from striate.errors import DataError

Write = Callable[..., Path]
Files = Callable[..., dict[str, bytes]]
Encode = Callable[..., bytes]
Picture = Callable[..., NDArray[np.uint8]]

KINDS = {
    "jpeg": "JPEG", "png": "PNG", "gif": "GIF", "bmp": "BMP", "webp": "WebP", "tiff": "TIFF",
    "pbm": "PPM", "pgm": "PPM", "ppm": "PPM",
}  # fmt: skip


@pytest.fixture
def every_kind(write_folder: Write, cats_and_dogs: Files) -> Path:
    """Every odd file in class cat, every bad one in class dog, among good ones."""
    odd = {f"cat/good-{name.replace('/', ':')}": data for name, (data, _) in GOOD.items()}
    bad = {f"dog/bad-{name.replace('/', ':')}": data for name, (data, _) in BAD.items()}
    return write_folder({**cats_and_dogs(10), **odd, **bad})


def test_every_kind_of_file_is_described(every_kind: Path) -> None:
    found = describe_data(str(every_kind), named=1000)
    assert {one.path.removeprefix("dog/bad-") for one in found.bad} == set(BAD)
    assert found.bad_images == len(BAD) == found.faults()["bad"]
    for one in found.bad:
        assert BAD[one.path.removeprefix("dog/bad-")][1] in one.why
        assert (one.split, one.label) == ("train", "dog")
    assert found.images == 20 + len(GOOD)
    expected: dict[str, int] = {"PNG": 20}
    for name in GOOD:
        kind = KINDS[name.split()[0]]
        expected[kind] = expected.get(kind, 0) + 1
    assert found.formats == expected
    assert sum(found.channels.values()) == sum(found.depths.values()) == found.images
    deep = sum(pixels.dtype == np.uint16 for _, pixels in GOOD.values())
    assert found.depths[16] == deep
    gray = sum(pixels.shape[2] == 1 for _, pixels in GOOD.values())
    assert found.channels[1] == gray


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("1-bit", "1 bit"), ("palette", "palette"), ("alpha", "alpha"), ("cmyk", "CMYK"),
        ("16-bit", "16-bit"), ("rotated", "orientation 6"), ("from-white", "16-bit that counts"),
    ],
)  # fmt: skip
def test_odd_files_are_named_with_what_is_done(every_kind: Path, kind: str, word: str) -> None:
    found = describe_data(str(every_kind), named=1000, near=False)
    odd = {one.kind: one for one in found.odd}[kind]
    named = {path.removeprefix("cat/good-") for path in odd.paths}
    assert {name for name in GOOD if word in name} <= named
    assert odd.count == len(odd.paths)
    assert odd.outcome in "\n".join(open_data(str(every_kind), SKIP).notes)


SKIP = DataOptions(bad_images="skip")


def test_figures_and_splits_are_those_of_opening(every_kind: Path) -> None:
    found, opened = describe_data(str(every_kind)), open_data(str(every_kind), SKIP)
    assert found.pixels is not None
    assert (found.pixels.mean, found.pixels.std) == (opened.mean, opened.std)
    assert found.pixels.image == opened.image
    assert (found.pixels.least, found.pixels.greatest) == opened.pixel_range
    for described, split in zip(found.splits, opened.splits, strict=True):
        assert described.per_class == tuple(np.bincount(split.labels, minlength=2).tolist())
    assert found.sizes is not None
    assert found.sizes.greatest == opened.sizes.greatest


@pytest.mark.parametrize("spec", ["digits", "shapes:16"])
def test_arrays_have_the_figures_of_opening(spec: str) -> None:
    options = DataOptions(count=200, image=(16, 16), test=0.3)
    found, opened = describe_data(spec, options), open_data(spec, options)
    assert found.pixels is not None
    assert (found.pixels.mean, found.pixels.std) == (opened.mean, opened.std)
    assert [split.images for split in found.splits] == [len(split) for split in opened.splits]
    assert found.formats == {"array": sum(len(split) for split in opened.splits)}


def copy_of(data: bytes, **options: Any) -> bytes:
    """The picture saved anew, so that no byte needs to be the same."""
    out = io.BytesIO()
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image.resize((2 * image.width, 2 * image.height)).save(out, "JPEG", quality=80, **options)
    return out.getvalue()


def split_up(files: dict[str, bytes]) -> dict[str, bytes]:
    """The first six of each class as train, the others as test."""
    return {
        f"{'train' if int(path[-7:-4]) < 6 else 'test'}/{path}": data
        for path, data in files.items()
    }


Change = Callable[[dict[str, bytes]], dict[str, bytes]]

# name: (how the files are changed, whether they come in splits, options, faults, what is said)
FAULTY: dict[str, tuple[Change, bool, DataOptions, dict[str, int], str]] = {
    "a copy in test": (
        lambda f: {**f, "test/cat/x.png": f["train/cat/001.png"]},
        True, DataOptions(), {"leak": 1}, "train/cat/001.png test/cat/x.png",
    ),
    "a copy in test under another class": (
        lambda f: {**f, "test/dog/x.png": f["train/cat/001.png"]},
        True, DataOptions(), {"leak": 1, "conflict": 1}, "train/cat/001.png test/dog/x.png",
    ),
    "a compressed and enlarged copy in test": (
        lambda f: {**f, "test/cat/x.jpg": copy_of(f["train/cat/001.png"])},
        True, DataOptions(), {"leak": 1}, "train/cat/001.png test/cat/x.jpg",
    ),
    "a copy in val": (
        lambda f: {**f, "val/cat/x.png": f["train/cat/001.png"], "val/dog/x.png": OTHER},
        True, DataOptions(), {"leak": 1}, "train/cat/001.png val/cat/x.png",
    ),
    "the same copy in val and test": (
        lambda f: {**f, "val/cat/x.png": f["test/cat/007.png"], "val/dog/x.png": OTHER},
        True, DataOptions(), {"leak": 1}, "val/cat/x.png test/cat/007.png",
    ),
    "a copy within train": (
        lambda f: {**f, "train/cat/x.png": f["train/cat/001.png"]},
        True, DataOptions(), {"duplicate": 1}, "train/cat/001.png train/cat/x.png",
    ),
    "three copies within train": (
        lambda f: {**f, **{f"train/cat/x{i}.png": f["train/cat/001.png"] for i in range(3)}},
        True, DataOptions(), {"duplicate": 3},
        "train/cat/001.png train/cat/x0.png train/cat/x1.png train/cat/x2.png",
    ),
    "a near copy within train": (
        lambda f: {**f, "train/cat/x.jpg": copy_of(f["train/cat/001.png"])},
        True, DataOptions(), {"duplicate": 1}, "train/cat/001.png train/cat/x.jpg",
    ),
    "one image in two classes": (
        lambda f: {**f, "train/dog/x.png": f["train/cat/001.png"]},
        True, DataOptions(), {"duplicate": 1, "conflict": 1}, "train/cat/001.png train/dog/x.png",
    ),
    "one picture in two classes": (
        lambda f: {**f, "train/dog/x.jpg": copy_of(f["train/cat/001.png"])},
        True, DataOptions(), {"duplicate": 1, "conflict": 1}, "train/cat/001.png train/dog/x.jpg",
    ),
    "a cut file": (
        lambda f: {**f, "train/cat/x.png": f["train/cat/001.png"][:40]},
        True, DataOptions(), {"bad": 1}, "train/cat/x.png is a truncated",
    ),
    "a cut file in test": (
        lambda f: {**f, "test/cat/x.png": f["train/cat/001.png"][:-60]},
        True, DataOptions(), {"bad": 1}, "test/cat/x.png cannot be decoded",
    ),
    "an empty file": (
        lambda f: {**f, "train/cat/x.png": b""},
        True, DataOptions(), {"bad": 1}, "train/cat/x.png is empty",
    ),
    "an even image": (
        lambda f: {**f, "train/cat/x.png": EVEN},
        True, DataOptions(), {"blank": 1}, "blank 1 train/cat/x.png",
    ),
    "two even images of two classes are no copies by looks": (
        lambda f: {**f, "train/cat/x.png": EVEN, "test/dog/x.png": EVEN_2},
        True, DataOptions(), {"blank": 2}, "blank 2 train/cat/x.png test/dog/x.png",
    ),
    "a wrong ending": (
        lambda f: {**f, "train/cat/x.png": copy_of(OTHER)},
        True, DataOptions(), {}, "ending 1 train/cat/x.png",
    ),
    "a long image": (
        lambda f: {**f, "train/cat/x.png": LONG},
        True, DataOptions(), {}, "elongated 1 train/cat/x.png",
    ),
    "a path outside every group": (
        lambda f: f, True, DataOptions(group="cat"), {"refused": 1}, "does not match group 'cat'",
    ),
    "patients on both sides": (
        lambda f: {path.replace("/0", "/p1_0"): data for path, data in f.items()},
        True, DataOptions(group=r"p\d"), {"leak": 1, "refused": 1}, "group 'p1' is in both",
    ),
    "one class": (
        lambda f: {path: data for path, data in f.items() if "cat" in path},
        False, DataOptions(), {"refused": 1}, "has one class only (cat)",
    ),
    "a class whose files are all bad": (
        lambda f: {**f, "mouse/1.png": b"x", "mouse/2.png": b""},
        False, DataOptions(), {"bad": 2, "refused": 1}, "class 'mouse' has no training image",
    ),
    "no image that can be read": (
        lambda f: dict.fromkeys(f, b"x"),
        False, DataOptions(), {"bad": 20, "refused": 1}, "class 'cat' has no training image",
    ),
    "too few for a test split": (
        lambda f: {path: data for path, data in f.items() if "001" in path},
        False, DataOptions(), {"refused": 1}, "leaves no test image",
    ),
}  # fmt: skip


def _png(pixels: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


_NOISE = np.random.default_rng(9).integers(0, 256, (3, 3, 3), dtype=np.uint8)
OTHER = _png(np.asarray(Image.fromarray(_NOISE).resize((16, 12))))
LONG = _png(np.asarray(Image.fromarray(_NOISE).resize((120, 12))))
EVEN, EVEN_2 = (_png(np.full((12, 16, 3), value, np.uint8)) for value in (90, 140))


@pytest.mark.parametrize("name", FAULTY)
def test_faulty_sets(name: str, write_folder: Write, cats_and_dogs: Files) -> None:
    change, in_splits, options, faults, said = FAULTY[name]
    files = cats_and_dogs(10)
    root = write_folder(change(split_up(files) if in_splits else files))
    found = describe_data(str(root), options)
    assert {kind: count for kind, count in found.faults().items() if count} == faults
    sentences = [
        *(" ".join(place.path for place in one.images) for one in found.copies.named),
        *(f"{one.path} {one.why}" for one in found.bad),
        *(f"{one.kind} {one.count} {' '.join(one.paths)}" for one in found.odd),
        found.refused or "",
    ]
    assert any(said in sentence for sentence in sentences), sentences


def test_a_sound_set_has_no_fault(write_folder: Write, cats_and_dogs: Files) -> None:
    found = describe_data(str(write_folder(cats_and_dogs(30))))
    assert not any(found.faults().values())
    assert found.odd == ()
    assert found.imbalance == 1


def test_leaks_are_counted_by_image(write_folder: Write, cats_and_dogs: Files) -> None:
    files = split_up(cats_and_dogs(10))
    files |= {f"test/cat/x{i}.png": files["train/cat/001.png"] for i in range(3)}
    files |= {"test/dog/y.jpg": copy_of(files["train/dog/002.png"])}
    (leak,) = describe_data(str(write_folder(files)), DataOptions(val=0)).copies.leaks
    assert (leak.of, leak.within) == ("test", "train")
    assert (leak.exact, leak.near, leak.images) == (3, 1, 12)


def test_exact_copies_alone(write_folder: Write, cats_and_dogs: Files) -> None:
    files = split_up(cats_and_dogs(10))
    files |= {"test/dog/y.jpg": copy_of(files["train/dog/002.png"])}
    root = str(write_folder(files))
    assert describe_data(root).faults()["leak"] == 1
    found = describe_data(root, near=False)
    assert found.faults()["leak"] == 0
    assert found.copies.distance is None


def test_naming_is_bounded_and_counting_is_not(write_folder: Write, cats_and_dogs: Files) -> None:
    files = cats_and_dogs(10)
    files |= {f"cat/bad{i}.png": b"x" for i in range(7)}
    files |= {path.replace("0", "c", 1): data for path, data in files.items() if "cat" in path}
    found = describe_data(str(write_folder(files)), named=2)
    assert len(found.bad) == 2
    assert found.bad_images == 8  # the seven, and bad0.png under its other name
    assert len(found.copies.named) <= 6
    assert found.copies.duplicates == 10


def test_a_set_of_many_copies_shows_both_its_sides(
    write_folder: Write, cats_and_dogs: Files
) -> None:
    files = split_up(cats_and_dogs(10))
    one = files["train/cat/001.png"]
    files |= {f"train/k{i:02}/x.png": one for i in range(20)} | {"test/dog/z.png": one}
    (found,) = describe_data(str(write_folder(files)), DataOptions(val=0)).copies.named
    assert len(found.images) == 8
    assert {place.split for place in found.images} == {"train", "test"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes in folders; run on Linux")
def test_a_pipe_is_not_waited_for(write_folder: Write, cats_and_dogs: Files) -> None:
    root = write_folder(cats_and_dogs(10))
    os.mkfifo(root / "cat" / "pipe.png")
    (bad,) = describe_data(str(root)).bad
    assert (bad.path, bad.why) == ("cat/pipe.png", "is no file but a pipe, socket or device")


def test_arrays_and_parquet(tmp_path: Path, make_picture: Picture) -> None:
    pixels = np.stack([make_picture(i) for i in range(20)])
    pixels[19] = pixels[0]
    labels = np.arange(20) % 2
    np.savez(tmp_path / "a.npz", x_train=pixels[:10], y_train=labels[:10],
             x_test=pixels[10:], y_test=labels[10:])  # fmt: skip
    found = describe_data(str(tmp_path / "a.npz"))
    assert found.faults() == {
        "bad": 0, "duplicate": 0, "leak": 1, "conflict": 1, "blank": 0, "refused": 0,
    }  # fmt: skip
    assert [one.path for one in found.copies.named[0].images] == ["x_train[0]", "x_test[9]"]
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for part, rows in (("train", range(10)), ("test", range(10, 20))):
        images = [{"bytes": _png(pixels[row]), "path": f"{row}.png"} for row in rows]
        table = pa.table({"image": images, "label": labels[list(rows)]})
        pq.write_table(table, tmp_path / f"{part}.parquet")
    again = describe_data(str(tmp_path))
    assert again.faults() == found.faults()
    assert again.formats == {"PNG": 20}


def test_progress_reaches_the_end(write_folder: Write, cats_and_dogs: Files) -> None:
    told: list[tuple[int, int]] = []
    describe_data(str(write_folder(cats_and_dogs(10))), progress=lambda *now: told.append(now))
    assert told[-1] == (40, 40)
    assert told == sorted(told)


def test_nothing_to_describe(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty; put a folder of images per class into it"):
        describe_data(str(tmp_path))
