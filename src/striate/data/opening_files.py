"""Opening data that came as encoded images: folders and parquet.

Every image is read twice: once for its digest and header, once to be decoded, unless its pixels
are found in the cache.  When some cannot
be decoded and are to be skipped, the data set is divided anew without them, so that it is to the
last bit the data set that never held them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from striate.data.dataset import Dataset
from striate.data.filling import Bad, Source, fill
from striate.data.finishing import Opened, finish
from striate.data.form import MEND
from striate.data.images.decode import choose_decoder
from striate.data.looking import Look, look
from striate.data.options import DataOptions, Indices, Words
from striate.data.parallel import Progress
from striate.data.sizing import Census, choose_form, form_notes
from striate.data.sources.listing import Decoded, Encoded, Listing, PartName
from striate.data.splitting import Selection, split_up
from striate.errors import ImageError

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
        sources: dict[PartName, Source] = {
            name: Source(
                content=_content(listing, chosen.part),
                chosen=chosen,
                sizes=looks[chosen.part].sizes[chosen.rows],
            )
            for name, chosen in selections.items()
        }
        filled = fill(sources, form, options, progress)
        if not filled.bad:
            break
        bad |= filled.bad
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
            cached=filled.cached,
            notes=(
                *_skipped(bad, listing),
                *notes,
                *form_notes(form, census, options),
                *filled.notes,
            ),
        )
    )


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
