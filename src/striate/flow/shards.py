"""``striate data DATA --shards DIR``: a data set written as shards that can be streamed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from striate.data import DataOptions, Fit, open_data
from striate.data.shards.opening import is_shards
from striate.data.shards.writing import CHUNK_BYTES, write_shards
from striate.errors import InputError
from striate.flow.sizes import cache_option, image_option, parse_bytes


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written: ``images`` and ``shards`` by split, ``bytes`` of all chunk files."""

    folder: str
    holds: Literal["bytes", "pixels"]
    images: dict[str, int]
    shards: dict[str, int]
    bytes: int
    fingerprint: str
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "striate": 1,
            "shards": {
                "folder": self.folder,
                "holds": self.holds,
                "images": self.images,
                "shards": self.shards,
                "bytes": self.bytes,
                "fingerprint": self.fingerprint,
                "notes": list(self.notes),
            },
        }


def shards(
    data: str | Path,
    out: Path,
    *,
    holds: Literal["bytes", "pixels"] | None = None,
    shard_size: str | None = None,
    image: str | None = None,
    fit: Fit = "crop",
    group: str | None = None,
    val: float = 0.1,
    test: float = 0.2,
    cache: str | None = None,
    reading: Callable[[int, int], None] | None = None,
    writing: Callable[[int, int], None] | None = None,
) -> Written:
    """Open ``data`` as ``fit`` would, and write it to ``out`` as shards.

    ``holds``: the bytes of the files, or decoded pixels; None for bytes where there are any.
    ``shard_size``: of one chunk file, ``64MiB`` unless told.  Raises InputError, DataError and
    OutputError; ``out`` appears when it is whole.
    """
    if is_shards(str(data)):
        raise InputError(f"{data}: are shards already; name the data they were written from")
    options = DataOptions(
        image=image_option(image),
        fit=fit,
        group=group,
        val=val,
        test=test,
        cache_bytes=cache_option(cache, option="--cache"),
    )
    size = CHUNK_BYTES if shard_size is None else parse_bytes(shard_size, option="--shard-size")
    dataset = open_data(str(data), options, progress=reading)
    index = write_shards(dataset, out, holds=holds, chunk_bytes=size, progress=writing)
    return Written(
        folder=str(out),
        holds=index.holds,
        images={name: len(shard.ids) for name, shard in index.splits.items()},
        shards={name: len(shard.chunks) for name, shard in index.splits.items()},
        bytes=sum(c.bytes for shard in index.splits.values() for c in shard.chunks),
        fingerprint=dataset.fingerprint,
        notes=dataset.notes,
    )
