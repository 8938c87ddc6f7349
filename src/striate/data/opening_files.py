"""Opening data that came as encoded images: folders and parquet.

Every image is read twice: once for its digest and header, once to be decoded.  When some cannot
be decoded and are to be skipped, the data set is divided anew without them, so that it is to the
last bit the data set that never held them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.dataset import Dataset
from striate.data.encoded import CachedStore, EncodedStore, decode_rows
from striate.data.finishing import Opened, finish
from striate.data.form import MEND, Form
from striate.data.images.decode import choose_decoder
from striate.data.looking import Look, look
from striate.data.options import DataOptions, Indices, Pixels, Words
from striate.data.parallel import Progress
from striate.data.sizing import Census, choose_form, form_notes
from striate.data.sources.listing import Decoded, Encoded, Listing, PartName
from striate.data.split import Store
from striate.data.splitting import Selection, split_up
from striate.data.statistics import count_values, images_at_once
from striate.errors import ImageError

Bad = dict[tuple[PartName, int], str]
"""Why an image cannot be used, by part and row."""

_NAMED = 5


def open_files(listing: Listing, options: DataOptions, progress: Progress) -> Dataset:
    """The data set of a listing whose parts are all ``Encoded``."""
    decoder = choose_decoder(options.decoder)
    looks: dict[PartName, Look] = {
        name: look(_content(listing, name), part.labels, listing.classes, progress)
        for name, part in listing.parts.items()
    }
    bad: Bad = {(name, row): why for name, seen in looks.items() for row, why in seen.bad.items()}
    while True:
        _refuse(bad, listing, options)
        kept: dict[PartName, Indices] = {
            name: np.array(
                [row for row in range(len(part.labels)) if (name, row) not in bad], dtype=np.int64
            )
            for name, part in listing.parts.items()
        }
        words: dict[PartName, Words] = {name: seen.digests for name, seen in looks.items()}
        selections, notes = split_up(listing, kept, words, options)
        census = _census(looks, kept, selections)
        form = choose_form(census, decoder, options)
        filled = _fill(listing, selections, form, options, progress)
        if not filled.bad:
            break
        bad |= filled.bad
    cached = filled.cached
    where = "held in RAM" if cached else "decoded at every look, as they exceed the cache"
    return finish(
        Opened(
            listing=listing,
            selections=selections,
            stores=filled.stores,
            image=form.image,
            scale=form.scale,
            counts=filled.counts,
            sizes=census.sizes,
            fit=options.fit,
            decoder=decoder,
            cached=cached,
            notes=(
                *_skipped(bad, listing),
                *notes,
                *form_notes(form, census, options),
                f"Pixels ({filled.bytes} bytes) are {where}; plain JPEG is decoded by {decoder}.",
            ),
        )
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Filled:
    stores: Mapping[PartName, Store]
    counts: NDArray[np.int64]
    bad: Bad
    bytes: int
    cached: bool


def _fill(
    listing: Listing,
    selections: Mapping[PartName, Selection],
    form: Form,
    options: DataOptions,
    progress: Progress,
) -> _Filled:
    """Decode everything once: into the cache where it fits, else to see that it can be."""
    count = sum(len(chosen.rows) for chosen in selections.values())
    size = count * int(np.prod(form.image)) * form.dtype.itemsize
    cached = size <= options.cache_bytes
    stores: dict[PartName, Store] = {}
    counts = np.zeros((form.image[0], int(form.scale) + 1), dtype=np.int64)
    bad: Bad = {}
    step = images_at_once(form.image)
    for name, chosen in selections.items():
        content = _content(listing, chosen.part)
        behind = EncodedStore(content=content, rows=chosen.rows, form=form)
        room = len(chosen.rows) if cached else step
        held: Pixels = np.empty((room, *form.image), dtype=form.dtype)
        for start in range(0, len(chosen.rows), step):
            rows = chosen.rows[start : start + step]
            out = held[start : start + step] if cached else held[: len(rows)]
            failed = decode_rows(content, rows, form, out, progress.add)
            bad |= {(chosen.part, row): why for row, why in failed.items()}
            if name == "train":
                counts += count_values(out)
        stores[name] = CachedStore(array=held, behind=behind) if cached else behind
        if bad and options.bad_images == "error":
            break
    return _Filled(stores=stores, counts=counts, bad=bad, bytes=size, cached=cached)


def _content(listing: Listing, name: PartName) -> Encoded:
    content = listing.parts[name].content
    assert not isinstance(content, Decoded)
    return content


def _refuse(bad: Bad, listing: Listing, options: DataOptions) -> None:
    if bad and options.bad_images == "error":
        (name, row), why = min(
            bad.items(), key=lambda item: listing.parts[item[0][0]].paths[item[0][1]]
        )
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise ImageError(f"{_content(listing, name).place(row)} {why}{more}; {MEND}")


def _skipped(bad: Bad, listing: Listing) -> list[str]:
    if not bad:
        return []
    said = sorted(f"{listing.parts[name].paths[row]} {why}" for (name, row), why in bad.items())
    more = f"; … {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    return [f"Bad images skipped: {len(said)} ({'; '.join(said[:_NAMED])}{more})."]


def _census(
    looks: Mapping[PartName, Look],
    kept: Mapping[PartName, Indices],
    selections: Mapping[PartName, Selection],
) -> Census:
    train = selections["train"]
    return Census(
        sizes=np.concatenate([looks[name].sizes[rows] for name, rows in kept.items()]),
        train_sizes=looks[train.part].sizes[train.rows],
        colour=np.concatenate([looks[name].colour[rows] for name, rows in kept.items()]),
        deep=np.concatenate([looks[name].deep[rows] for name, rows in kept.items()]),
        traits=np.concatenate([looks[name].traits[rows] for name, rows in kept.items()]),
    )
