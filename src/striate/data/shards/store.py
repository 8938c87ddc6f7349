"""Pixels from shards: images are read by their place in a chunk, with no chunk held in memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from striate.data.form import Form
from striate.data.images.bad import BadImage
from striate.data.options import Indices, Pixels
from striate.data.shards.fetching import Place
from striate.data.shards.index import Chunk, Holds
from striate.errors import DataError, ImageError

_OPEN = 32
"""Chunks whose offsets are kept: 4 bytes an image."""


@dataclass(kw_only=True, eq=False)
class _Offsets:
    """The offsets of the chunks last looked at, by chunk.  litdata's layout: the number of items,
    then so many offsets and one more, all uint32, then the items; an item is its length in bytes
    (uint32), then the bytes.
    """

    kept: OrderedDict[int, NDArray[np.uint32]] = field(
        default_factory=OrderedDict[int, NDArray[np.uint32]]
    )

    def of(self, number: int, file: BinaryIO, chunk: Chunk, where: str) -> NDArray[np.uint32]:
        # Taken out and put back: another thread may look at the same time.
        found = self.kept.pop(number, None)
        if found is None:
            words = np.frombuffer(file.read(4 * (chunk.images + 2)), dtype="<u4")
            if len(words) != chunk.images + 2 or words[0] != chunk.images:
                raise DataError(f"{where} is broken: its head is not litdata's; restore it")
            found = words[1:].astype(np.uint32)
        self.kept[number] = found
        while len(self.kept) > _OPEN:
            self.kept.popitem(last=False)
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class ShardStore:
    """One split.  ``places`` (N,): where sample i lies; ``starts`` (chunks,): each chunk's first
    place.
    """

    place: Place
    split: str
    chunks: tuple[Chunk, ...]
    starts: Indices
    places: Indices
    form: Form
    holds: Holds
    offsets: _Offsets = field(default_factory=_Offsets)

    def pixels(self, indices: Indices) -> Pixels:
        out = np.empty((len(indices), *self.form.image), dtype=self.form.dtype)
        for i, data, where in self._items(indices):
            if self.holds == "pixels":
                out[i] = self._raw(data, where)
            else:
                out[i] = self.form.fitted(self._decoded(data, where))
        return out

    def originals(self, indices: Indices) -> list[Pixels]:
        found: dict[int, Pixels] = {}
        for i, data, where in self._items(indices):
            raw = self.holds == "pixels"
            found[i] = self._raw(data, where) if raw else self._decoded(data, where)
        return [found[i] for i in range(len(indices))]

    def _items(self, indices: Indices) -> list[tuple[int, bytes, str]]:
        """(number in ``indices``, bytes, place) of each, chunk by chunk."""
        places = self.places[indices]
        chunks = np.searchsorted(self.starts, places, side="right") - 1
        items: list[tuple[int, bytes, str]] = []
        which: list[int] = np.unique(chunks).tolist()
        for number in which:
            chunk = self.chunks[number]
            where = f"{self.place.name}/{self.split}/{chunk.file}"
            with self.place.open(f"{self.split}/{chunk.file}", chunk.bytes) as file:
                offsets = self.offsets.of(number, file, chunk, where)
                for i in np.flatnonzero(chunks == number).tolist():
                    at = int(places[i] - self.starts[number])
                    file.seek(int(offsets[at]))
                    data = file.read(int(offsets[at + 1] - offsets[at]))
                    items.append((i, _unpacked(data, where, at), f"{where}, image {at}"))
        return items

    def _raw(self, data: bytes, where: str) -> Pixels:
        pixels = np.frombuffer(data, dtype=self.form.dtype.newbyteorder("<"))
        if pixels.size != int(np.prod(self.form.image)):
            raise ImageError(f"{where} has {len(data)} bytes of pixels; write the shards again")
        return pixels.reshape(self.form.image).astype(self.form.dtype)

    def _decoded(self, data: bytes, where: str) -> Pixels:
        try:
            return self.form.original(data)
        except BadImage as bad:
            raise ImageError(f"{where} {bad}; write the shards again") from bad


def _unpacked(item: bytes, where: str, at: int) -> bytes:
    if int.from_bytes(item[:4], "little") != len(item) - 4:
        raise DataError(f"{where}, image {at} is broken; write the shards again")
    return item[4:]
