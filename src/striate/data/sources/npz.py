"""An ``.npz`` archive of pixel arrays and labels.

Known names: ``x_train``/``y_train`` (Keras), ``train_images``/``train_labels`` (MedMNIST), with
``val`` and ``test`` alike, or ``images``/``labels`` and ``x``/``y`` without a split.  Pixels are
integers, (N, H, W), (N, H, W, C) or (N, C, H, W); labels (N,) or (N, 1), integers or strings.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.data.options import Pixels
from striate.data.sources.labels import number_classes
from striate.data.sources.listing import Decoded, Listing, Part, PartName
from striate.data.strings import Strings
from striate.errors import DataError

_WORDS: dict[PartName, tuple[str, ...]] = {
    "train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",),
}  # fmt: skip
_PAIRS = (("x_{}", "y_{}"), ("{}_images", "{}_labels"), ("{}_x", "{}_y"))
_WHOLE = (("images", "labels"), ("x", "y"), ("X", "y"), ("data", "labels"))
_USUAL_CHANNELS = (1, 3, 4)
_MOST_CHANNELS = 16


def list_npz(file: Path) -> Listing:
    """The arrays of ``file`` as parts; DataError where they do not fit together."""
    arrays = _load(file)
    pairs = _pairs(file, arrays)
    pixels: dict[PartName, NDArray[Any]] = {
        part: _channels_first(file, x, arrays[x]) for part, (x, _) in pairs.items()
    }
    raw: dict[PartName, list[str]] = {
        part: _labels(file, y, arrays[y]) for part, (_, y) in pairs.items()
    }
    for part, (x, y) in pairs.items():
        if len(pixels[part]) != len(raw[part]):
            raise DataError(
                f"{file}: {x} has {len(pixels[part])} images and {y} "
                f"{len(raw[part])} labels; give one label per image"
            )
        if not len(raw[part]):
            raise DataError(f"{file}: {x} is empty; give it images or leave it out")
    plain, scale, notes = _depth(file, pixels)
    names = set(raw["train"])
    numeric = arrays[pairs["train"][1]].dtype.kind in "iub"
    order = sorted(names, key=int) if numeric else None
    classes, labels = number_classes(raw, order=order, where=str(file))
    return Listing(
        name=file.stem,
        classes=classes,
        parts={
            part: Part(
                labels=labels[part],
                paths=Strings.of(f"{pairs[part][0]}[{row}]" for row in range(len(labels[part]))),
                content=Decoded(pixels=plain[part], scale=scale),
            )
            for part in pairs
        },
        notes=notes,
    )


def _load(file: Path) -> dict[str, NDArray[Any]]:
    try:
        # A stream of our own: numpy leaves a file open that is no archive.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        said = " ".join(str(error).split())
        raise DataError(
            f"{file} is no readable .npz of plain arrays ({said}); write it with numpy.savez"
        ) from error


def _pairs(file: Path, arrays: dict[str, NDArray[Any]]) -> dict[PartName, tuple[str, str]]:
    """The names of pixels and labels for each part."""
    found: dict[PartName, tuple[str, str]] = {}
    for part, words in _WORDS.items():
        for word in words:
            for x, y in _PAIRS:
                if x.format(word) in arrays and y.format(word) in arrays:
                    found.setdefault(part, (x.format(word), y.format(word)))
    if "train" not in found and not found:
        whole = [pair for pair in _WHOLE if set(pair) <= set(arrays)]
        found = {"train": whole[0]} if whole else {}
    if "train" not in found:
        raise DataError(
            f"{file} has the arrays {', '.join(sorted(arrays)) or 'none'}; striate looks for "
            "x_train and y_train, train_images and train_labels, or images and labels"
        )
    return found


def _channels_first(file: Path, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """(N, C, H, W).  Channels are the last axis or the second: the first of these that has 1, 3
    or 4 entries, else the first that has at most 16.
    """
    if array.ndim == 3:
        return array[:, None]
    if array.ndim == 4:
        for sizes in (_USUAL_CHANNELS, range(1, _MOST_CHANNELS + 1)):
            if array.shape[3] in sizes:
                return array.transpose(0, 3, 1, 2)
            if array.shape[1] in sizes:
                return array
    shape = "x".join(map(str, array.shape))
    raise DataError(
        f"{file}: {name} has the shape {shape}; use (N, H, W), (N, H, W, C) or "
        f"(N, C, H, W) with at most {_MOST_CHANNELS} channels"
    )


def _labels(file: Path, name: str, array: NDArray[Any]) -> list[str]:
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "iubU":
        shape = "x".join(map(str, array.shape))
        raise DataError(
            f"{file}: {name} has the shape {shape} and type {array.dtype}; "
            "use one integer or string per image"
        )
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    return [str(value) for value in array.tolist()]


def _depth(
    file: Path, pixels: dict[PartName, NDArray[Any]]
) -> tuple[dict[PartName, Pixels], float, tuple[str, ...]]:
    """Pixels as uint8 or uint16, all parts alike, no value changed (but booleans: 0 and 255)."""
    if all(array.dtype == np.bool_ for array in pixels.values()):
        grown: dict[PartName, Pixels] = {
            part: array.astype(np.uint8) * np.uint8(255) for part, array in pixels.items()
        }
        return grown, 255.0, ("Boolean pixels became 0 and 255.",)
    for part, array in pixels.items():
        if array.dtype.kind not in "iu":
            raise DataError(
                f"{file}: pixels of {part} are {array.dtype}; store integers "
                "(8-bit from 0 to 255 or 16-bit)"
            )
    least = min(int(array.min()) for array in pixels.values())
    greatest = max(int(array.max()) for array in pixels.values())
    if least < 0 or greatest > 65535:
        raise DataError(
            f"{file}: pixels run from {least} to {greatest}; "
            "store them as 8-bit or 16-bit unsigned integers"
        )
    small = all(array.dtype == np.uint8 for array in pixels.values())
    wide = any(array.dtype == np.uint16 for array in pixels.values())
    kind = np.uint16 if wide or greatest > 255 else np.uint8
    plain: dict[PartName, Pixels] = {
        part: np.ascontiguousarray(array, dtype=kind) for part, array in pixels.items()
    }
    name = np.dtype(kind).name
    notes = () if small or wide else (f"Integer pixels of 0 to {greatest} are kept as {name}.",)
    return plain, float(np.iinfo(kind).max), notes
