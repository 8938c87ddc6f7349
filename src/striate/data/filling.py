"""Decoding everything once, and keeping as much of it as there is room for.

Fitted pixels are held in RAM where they fit, else mapped from a file of the user's cache, else
decoded at every look.  So are the originals of training images that came larger than the data
set's size, which random resized crops look at.  Whatever is kept are the decoder's own bits, so
that no choice of place changes a training (docs/decisions/0023-where-pixels-lie.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from striate._version import __version__
from striate.data.encoded import EncodedStore, FittedPart, KeptStore, Originals, decode_rows
from striate.data.form import Form
from striate.data.keeping import Keeper, choose_keeper
from striate.data.options import DataOptions, Indices, Pixels
from striate.data.parallel import Progress
from striate.data.pixel_files import Recipe, pixel_folder
from striate.data.room import disk_room
from striate.data.sources.listing import Encoded, PartName
from striate.data.split import Store
from striate.data.splitting import Selection
from striate.data.statistics import count_values

Bad = dict[tuple[PartName, int], str]
"""Why an image cannot be used, by part and row."""

_AT_ONCE = 1 << 24  # values of the images that are decoded at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """One split's encoded images: ``sizes`` (n, 2) are those of its rows, upright."""

    content: Encoded
    chosen: Selection
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.chosen.rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class Filled:
    """``counts`` (C, values) of the training split.  ``cached``: fitted pixels are in RAM."""

    stores: Mapping[PartName, Store]
    counts: NDArray[np.int64]
    bad: Bad
    cached: bool
    notes: tuple[str, ...]


def fill(
    sources: Mapping[PartName, Source], form: Form, options: DataOptions, progress: Progress
) -> Filled:
    """Every image decoded once, or found in the cache; with ``bad`` the stores mean nothing."""
    ram, disk = options.ram_bytes, options.disk_bytes
    if disk is None:
        disk = disk_room(pixel_folder())
    fitted = choose_keeper(
        _recipe("fitted", sources, form),
        values=sum(map(len, sources.values())) * int(np.prod(form.image)),
        dtype=form.dtype,
        counts=(form.image[0], int(form.scale) + 1),
        ram=ram,
        disk=disk,
    )
    train = sources["train"]
    originals = None
    if (train.sizes > form.image[1:]).any():
        originals = choose_keeper(
            _recipe("originals", {"train": train}, form),
            values=form.image[0] * int(train.sizes.prod(axis=1).sum()),
            dtype=form.dtype,
            counts=(0, 0),
            ram=ram - fitted.ram_bytes,
            disk=disk - fitted.disk_bytes,
        )
    keepers = [fitted] if originals is None else [fitted, originals]
    try:
        bad, counts = _decoded(sources, form, options, progress, fitted, originals)
        if not bad:
            fitted.finish(counts)
            if originals is not None:
                originals.finish(np.zeros((0, 0), dtype=np.int64))
    finally:
        for keeper in keepers:
            keeper.drop()
    said = f"Pixels ({fitted.bytes} bytes) are {fitted.said}"
    notes = [f"{said}; plain JPEG is decoded by {form.decoder}."]
    if originals is not None:
        notes.append(
            f"Originals of the training images, for random crops ({originals.bytes} bytes), are "
            f"{originals.said}."
        )
    return Filled(
        stores={} if bad else _stores(sources, form, fitted, originals),
        counts=counts,
        bad=bad,
        cached=fitted.in_ram,
        notes=tuple(notes),
    )


def _decoded(
    sources: Mapping[PartName, Source],
    form: Form,
    options: DataOptions,
    progress: Progress,
    fitted: Keeper,
    originals: Keeper | None,
) -> tuple[Bad, NDArray[np.int64]]:
    """Decode what is not found in the cache; bad images, and the training split's counts."""
    found = fitted.found
    counts = np.zeros((form.image[0], int(form.scale) + 1), dtype=np.int64)
    if found is not None:
        counts = found.counts
    bad: Bad = {}
    for name, source in sources.items():
        beside = originals if name == "train" else None
        if found is not None and (beside is None or beside.found is not None):
            progress.add(len(source))
            continue
        for some in _chunks(source, form):
            rows = source.chosen.rows[some]
            out = fitted.room(len(rows) * int(np.prod(form.image))).reshape(-1, *form.image)
            ends = np.cumsum(form.image[0] * source.sizes[some].prod(axis=1))
            kept = None if beside is None else beside.room(int(ends[-1]))

            def take(
                i: int,
                original: Pixels,
                out: Pixels = out,
                kept: Pixels | None = kept,
                ends: Indices = ends,
            ) -> None:
                out[i] = form.fitted(original)
                if kept is not None:
                    kept[ends[i] - original.size : ends[i]] = original.reshape(-1)

            failed = decode_rows(source.content, rows, form, take, progress.add)
            bad |= {(source.chosen.part, row): why for row, why in failed.items()}
            fitted.put(out)
            if beside is not None and kept is not None:
                beside.put(kept)
            if name == "train" and found is None:
                counts += count_values(out)
        if bad and options.bad_images == "error":
            break
    return bad, counts


def _chunks(source: Source, form: Form) -> Iterator[slice]:
    """Rows that are decoded together: so many that their originals and fitted pixels are few."""
    values = form.image[0] * source.sizes.prod(axis=1) + int(np.prod(form.image))
    which = (np.cumsum(values) - 1) // _AT_ONCE
    starts = [0, *(np.flatnonzero(np.diff(which)) + 1).tolist(), len(source)]
    for start, stop in pairwise(starts):
        if stop > start:
            yield slice(start, stop)


def _stores(
    sources: Mapping[PartName, Source], form: Form, fitted: Keeper, originals: Keeper | None
) -> dict[PartName, Store]:
    stores: dict[PartName, Store] = {}
    first = 0
    for name, source in sources.items():
        part = beside = None
        if fitted.kept is not None:
            part = FittedPart(kept=fitted.kept, first=first, count=len(source), image=form.image)
        if name == "train" and originals is not None and originals.kept is not None:
            values = form.image[0] * source.sizes.prod(axis=1)
            beside = Originals(
                kept=originals.kept,
                starts=np.cumsum(values) - values,
                sizes=source.sizes,
                channels=form.image[0],
            )
        stores[name] = KeptStore(
            fitted=part,
            originals_kept=beside,
            uniform=bool((source.sizes == form.image[1:]).all()),
            behind=EncodedStore(content=source.content, rows=source.chosen.rows, form=form),
        )
        first += len(source)
    return stores


def _recipe(kind: str, sources: Mapping[PartName, Source], form: Form) -> Recipe:
    """All that the pixels depend on.  An id is a digest of the encoded bytes."""
    hasher = hashlib.blake2b(digest_size=16)
    for name, source in sources.items():
        hasher.update(f"{name}{len(source)}".encode())
        hasher.update(source.chosen.ids.astype("<u8").tobytes())
        hasher.update(source.sizes.astype("<i8").tobytes())
    image = form.image if kind == "fitted" else form.image[:1]
    return {
        "kind": kind,
        "samples": hasher.hexdigest(),
        "image": list(image),
        "deep": form.deep,
        "fit": form.fit if kind == "fitted" else None,
        "decoder": form.decoder,
        "versions": {name: _version(name) for name in ("pillow", "simplejpeg")},
        "striate": __version__,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
