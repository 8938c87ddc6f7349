"""Decoded pixels in a file of the user's cache, mapped into every process that looks at them.

A file's name holds the digest of its recipe: what was decoded, by whom, to what.  It is written
under a temporary name and renamed when it is whole, so that two processes may build the same one
at once, and what is found under its name is never a part.  On opening, its size and the digest of
its header are verified.

Layout: ``striate-pixels-1``, the header's length (8 bytes, little endian), its BLAKE2b-256, the
header (one line of JSON, then counts as int64), and from the next multiple of 4096 bytes on the
pixels, one behind the other.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.caches import cache_folder
from striate.data.options import Pixels

_MAGIC = b"striate-pixels-1"
_PAGE = 4096
_DIGEST = 32
_START = len(_MAGIC) + 8 + _DIGEST
_STALE_SECONDS = 24 * 3600.0

Recipe = Mapping[str, Any]
"""Plain values; whatever may change a pixel is among them."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The pixel files that there are."""

    folder: Path
    files: int
    bytes: int


def pixel_folder() -> Path:
    """Where the files lie."""
    return cache_folder("pixels")


def kept_pixels() -> Kept:
    """What is in the cache, files that are being written among it."""
    sizes = [path.stat().st_size for path in _all_files()]
    return Kept(folder=pixel_folder(), files=len(sizes), bytes=sum(sizes))


def clear_pixels() -> Kept:
    """Remove every file; returns what there was.  Who has one mapped keeps it until the end."""
    before = kept_pixels()
    for path in _all_files():
        path.unlink(missing_ok=True)
    return before


def file_for(recipe: Recipe) -> Path:
    """The name of a recipe's file, whether it exists or not."""
    digest = hashlib.blake2b(_plain(recipe).encode(), digest_size=16).hexdigest()
    return pixel_folder() / f"{recipe['kind']}-{digest}.pixels"


class PixelFile:
    """A file that is open.  ``flat``: its pixels, one behind the other, mapped and not writable.

    ``counts`` (C, values): how often each pixel value occurs, as its writer gave them.  Pickled, it
    is its path: another process maps the same pages.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        """OSError or ValueError where it is missing, broken or of another recipe."""
        self.path, self.recipe = path, recipe
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(_START)
            length = int.from_bytes(start[len(_MAGIC) : len(_MAGIC) + 8], "little")
            header = file.read(length) if length <= size else b""
        if not start.startswith(_MAGIC) or _digest(header) != start[-_DIGEST:]:
            raise ValueError("its header is broken")
        line, _, raw = header.partition(b"\n")
        facts: dict[str, Any] = json.loads(line)
        if facts["recipe"] != json.loads(_plain(recipe)):
            raise ValueError("it is of another recipe")
        dtype, count = np.dtype(facts["dtype"]), int(facts["values"])
        offset = _offset(length)
        if size != offset + count * dtype.itemsize:
            raise ValueError("it is cut short")
        self.counts: NDArray[np.int64] = np.frombuffer(raw, "<i8").reshape(facts["counts"])
        self.flat: Pixels = np.asarray(
            np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=(count,))
        )

    def __reduce__(self) -> tuple[type[PixelFile], tuple[Path, Recipe]]:
        return PixelFile, (self.path, self.recipe)


def open_pixels(recipe: Recipe) -> PixelFile | None:
    """The recipe's file; None where there is none that is whole."""
    try:
        return PixelFile(file_for(recipe), recipe)
    except (OSError, ValueError, KeyError, TypeError):
        return None


class PixelWriter:
    """Writes a recipe's file from its first pixel to its last; ``finish`` or ``drop`` ends it.

    OSError where the disk is full or not to be written.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        values: int,
        dtype: np.dtype[np.uint8 | np.uint16],
        counts: tuple[int, ...],
    ) -> None:
        """``values``: how many there will be in all.  ``counts``: the shape of what ``finish``
        will be given.
        """
        self.path, self._recipe, self._counts = file_for(recipe), recipe, counts
        facts = {"recipe": recipe, "dtype": dtype.name, "values": values, "counts": counts}
        self._line = _plain(facts).encode() + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _sweep()
        # Of another process, or of another machine that shares the folder, even of the same pid.
        self._part = self.path.with_name(f".{self.path.stem}.{secrets.token_hex(8)}.part")
        self._file = self._part.open("xb")
        self._file.write(bytes(_offset(len(self._line) + 8 * int(np.prod(counts)))))

    def write(self, pixels: Pixels) -> None:
        """The next pixels."""
        self._file.write(np.ascontiguousarray(pixels).reshape(-1).view(np.uint8).data)

    def finish(self, counts: NDArray[np.int64]) -> PixelFile:
        """The file under its own name, open."""
        header = self._line + counts.astype("<i8").tobytes()
        self._file.seek(0)
        self._file.write(_MAGIC + len(header).to_bytes(8, "little") + _digest(header) + header)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self.path)
        return PixelFile(self.path, self._recipe)

    def drop(self) -> None:
        """Leave nothing behind; after ``finish`` it does nothing."""
        with suppress(OSError):  # what could not be written cannot be now, and is not wanted
            self._file.close()
        self._part.unlink(missing_ok=True)


def _plain(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))


def _digest(header: bytes) -> bytes:
    return hashlib.blake2b(header, digest_size=_DIGEST).digest()


def _offset(header: int) -> int:
    """Where the pixels begin behind a header of so many bytes."""
    return -(-(_START + header) // _PAGE) * _PAGE


def _all_files() -> list[Path]:
    folder = pixel_folder()
    return [*folder.glob("*.pixels"), *folder.glob(".*.part")]


def _sweep() -> None:
    """Remove what processes that were killed left half-written, once it is a day old."""
    for path in pixel_folder().glob(".*.part"):
        try:
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()
        except OSError:
            continue  # another process was faster
