"""A data set written as shards, by litdata's writer."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np

from striate.data.dataset import Dataset
from striate.data.encoded import KeptStore
from striate.data.form import Form
from striate.data.images.bad import BadImage
from striate.data.options import Indices
from striate.data.shards.index import Chunk, Holds, Index, Shard
from striate.data.split import Split
from striate.errors import DataError, ImageError, OutputError
from striate.keyed import order

CHUNK_BYTES = 64 << 20
"""Of one chunk file, at least while there are more images."""

_AT_ONCE = 256


def write_shards(
    dataset: Dataset,
    folder: Path,
    *,
    holds: Holds | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> Index:
    """Write ``dataset`` to ``folder``, which appears when it is whole.

    ``holds``: bytes as they came, or decoded pixels at the data set's size; None for bytes where
    there are any.  Images lie in a keyed order of their ids, so that a chunk is a random sample.
    DataError where that cannot be, OutputError where ``folder`` cannot be written.
    """
    encoded = all(isinstance(split.store, KeptStore) for split in dataset.splits)
    if holds == "bytes" and not encoded:
        raise DataError(
            f"{dataset.name} came as arrays, which have no bytes of files; write pixels"
        )
    holds = holds or ("bytes" if encoded else "pixels")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder}: holds something already; name a new folder for the shards")
    total = sum(map(len, dataset.splits))
    done = 0

    def tell(images: int) -> None:
        nonlocal done
        done += images
        if progress is not None:
            progress(done, total)

    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        splits: dict[str, Shard] = {}
        for split in dataset.splits:
            if not len(split):
                continue
            sequence = order(0, "shards", split.ids)
            items = _items(split, sequence, holds, tell)
            chunks = write_chunks(part / split.name, items, chunk_bytes)
            places = np.empty(len(split), dtype=np.int64)
            places[sequence] = np.arange(len(split))
            splits[split.name] = Shard(
                ids=split.ids,
                labels=split.labels,
                places=places,
                names=split.names,
                chunks=chunks,
            )
        sizes = dataset.sizes
        index = Index(
            name=dataset.name,
            classes=dataset.classes,
            form=Form(
                image=dataset.image,
                deep=dataset.scale > 255,
                fit=dataset.fit,
                decoder="pillow" if dataset.decoder == "pillow" else "simplejpeg",
            ),
            holds=holds,
            notes=dataset.notes,
            sizes=np.array([sizes.least, sizes.median, sizes.greatest]),
            counts=dataset.counts,
            splits=splits,
        )
        index.write(part)
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except OSError as error:
        raise OutputError(
            f"{folder}: the shards cannot be written ({error.strerror}); free some room there, or "
            "name another folder"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return index


def write_chunks(folder: Path, items: Iterable[bytes], chunk_bytes: int) -> tuple[Chunk, ...]:
    """``items`` in litdata's chunks, in their order, with its index; DataError without litdata."""
    try:
        from litdata.streaming.writer import BinaryWriter
    except ImportError as error:
        raise DataError(
            "shards are written by litdata, which is not installed; pip install 'striate[stream]'"
        ) from error
    writer: Any = cast("Any", BinaryWriter)(str(folder), chunk_bytes=chunk_bytes)
    for place, item in enumerate(items):
        writer.add_item(place, item)
    writer.done()
    writer.merge()
    with (folder / "index.json").open(encoding="utf-8") as file:
        written: list[dict[str, Any]] = json.load(file)["chunks"]
    return tuple(
        Chunk(
            file=one["filename"],
            images=one["chunk_size"],
            bytes=(folder / one["filename"]).stat().st_size,
        )
        for one in written
    )


def _items(
    split: Split, sequence: Indices, holds: Holds, tell: Callable[[int], None]
) -> Iterable[bytes]:
    for start in range(0, len(sequence), _AT_ONCE):
        some = sequence[start : start + _AT_ONCE]
        if holds == "pixels":
            pixels = split.pixels(some)
            little = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
            yield from (image.tobytes() for image in little)
        else:
            store = split.store
            assert isinstance(store, KeptStore)
            for row in store.behind.rows[some].tolist():
                try:
                    yield store.behind.content.read(row)
                except BadImage as bad:
                    raise ImageError(
                        f"{store.behind.content.place(row)} {bad}; it could be read a moment ago"
                    ) from bad
        tell(len(some))
