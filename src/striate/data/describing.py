"""``describe_data``: from a DATA to what can be known of it before anything is trained.

Splits, form, mean and deviation are those that ``open_data`` would make with the same options, so
that what is said here is what ``fit`` will see.  A data set that ``open_data`` would refuse is
described as it was given, with the refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.data.copies import Samples, find_copies
from striate.data.form import Form
from striate.data.images.decode import choose_decoder
from striate.data.observing import FORMATS, Observed, observe_arrays, observe_files
from striate.data.odd import odd_images
from striate.data.options import DataOptions, Indices
from striate.data.parallel import Progress
from striate.data.resolving import list_samples
from striate.data.shards.opening import is_shards
from striate.data.sizing import TRAIT_RULES, form_notes
from striate.data.sources.listing import Decoded, Listing, PartName
from striate.data.splitting import SPLITS, group_keys
from striate.data.statistics import mean_and_deviation
from striate.data.strings import Strings
from striate.errors import DataError
from striate.records.description import (
    BadFile,
    Copies,
    DataDescription,
    GroupLeak,
    PixelFigures,
    Sizes,
    SplitCounts,
)

NAMED = 100
"""Of every kind of find, as many are named; all are counted."""
_COMMON = 5

Rows = Mapping[PartName, tuple[PartName, Indices]]
"""Of every split: the part its samples came in, and their rows there."""


def describe_data(
    spec: str,
    options: DataOptions | None = None,
    *,
    near: bool = True,
    named: int = NAMED,
    progress: Callable[[int, int], None] | None = None,
) -> DataDescription:
    """What ``spec`` holds; bad images are named, and left out of every figure.

    ``near``: look for images that look alike too, not for exact copies alone.  ``named``: how
    many of each kind are named.  ``progress``: called with (done, of all); every image counts
    twice.  Raises DataError where there is nothing to describe.
    """
    options = options or DataOptions()
    if is_shards(spec):
        raise DataError(
            f"{spec}: are shards, whose images were looked at when they were written; describe the "
            "data they were written from"
        )
    listing = list_samples(spec, options)
    told = Progress(progress, 2 * sum(len(part.labels) for part in listing.parts.values()))
    if all(isinstance(part.content, Decoded) for part in listing.parts.values()):
        found = observe_arrays(listing, options, told)
    else:
        found = observe_files(listing, options, choose_decoder(options.decoder), told)
    rows = _rows(found)
    groups = _group_leaks(found, options)
    formats, channels, depths = (
        _tally(found, rows, field) for field in ("formats", "channels", "depths")
    )
    return DataDescription(
        data=spec,
        name=listing.name,
        classes=listing.classes,
        splits=_splits(found, rows),
        formats={FORMATS[number]: count for number, count in formats.items()},
        channels=channels,
        depths=depths,
        sizes=_sizes(found, rows),
        pixels=_pixels(found),
        bad_images=len(found.bad),
        bad=_bad(found, named),
        odd=odd_images(found, rows, options, named),
        copies=_copies(found, rows, named, near=near),
        groups=groups[:named],
        group_leaks=len(groups),
        refused=found.refused,
        notes=(*listing.notes, *found.notes, *_form_notes(found, options)),
    )


def _rows(found: Observed) -> Rows:
    """The splits that ``fit`` would see, or as they were given where it would refuse."""
    if found.selections is None:
        return {name: (name, found.kept[name]) for name in SPLITS if name in found.kept}
    return {name: (chosen.part, chosen.rows) for name, chosen in found.selections.items()}


def _splits(found: Observed, rows: Rows) -> tuple[SplitCounts, ...]:
    listing = found.listing
    splits: list[SplitCounts] = []
    for name, (part, chosen) in rows.items():
        labels = listing.parts[part].labels[chosen]
        counts = np.bincount(labels, minlength=len(listing.classes)).tolist()
        splits.append(
            SplitCounts(name=name, carved=part != name, images=len(chosen), per_class=tuple(counts))
        )
    return tuple(splits)


def _tally(found: Observed, rows: Rows, field: str) -> dict[int, int]:
    """How often each value of a field of ``Seen`` occurs among usable images, most often first."""
    values = [getattr(found.parts[part], field)[chosen] for part, chosen in rows.values()]
    kinds, counts = np.unique(np.concatenate(values), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {int(kinds[i]): int(counts[i]) for i in order}


def _sizes(found: Observed, rows: Rows) -> Sizes | None:
    sizes = np.concatenate([found.parts[part].sizes[chosen] for part, chosen in rows.values()])
    if not len(sizes):
        return None
    kinds, counts = np.unique(sizes, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_COMMON]
    least, median, greatest = (f(sizes, axis=0) for f in (np.min, np.median, np.max))
    return Sizes(
        least=(int(least[0]), int(least[1])),
        median=(int(median[0]), int(median[1])),
        greatest=(int(greatest[0]), int(greatest[1])),
        different=len(kinds),
        common=tuple((int(kinds[i, 0]), int(kinds[i, 1]), int(counts[i])) for i in order),
    )


def _pixels(found: Observed) -> PixelFigures | None:
    if found.image is None or found.counts is None or not found.counts.any():
        return None
    mean, std = mean_and_deviation(found.counts, found.scale)
    values = np.flatnonzero(found.counts.sum(axis=0))
    return PixelFigures(
        image=found.image,
        scale=found.scale,
        mean=tuple(mean),
        std=tuple(std),
        least=int(values[0]),
        greatest=int(values[-1]),
    )


def _bad(found: Observed, named: int) -> tuple[BadFile, ...]:
    listing = found.listing
    said = [
        BadFile(
            path=listing.parts[part].paths[row],
            split=part,
            label=listing.classes[int(listing.parts[part].labels[row])],
            why=why,
        )
        for (part, row), why in found.bad.items()
    ]
    return tuple(sorted(said, key=lambda one: one.path)[:named])


def _copies(found: Observed, rows: Rows, named: int, *, near: bool) -> Copies:
    """Of all usable images, in the order of splits and paths."""
    listing = found.listing
    ordered: list[tuple[PartName, Indices]] = [
        (part, np.sort(chosen)) for part, chosen in rows.values()
    ]

    def field(name: str) -> list[NDArray[Any]]:
        return [getattr(found.parts[part], name)[chosen] for part, chosen in ordered]

    samples = Samples(
        contents=np.concatenate(field("contents")),
        hashes=np.concatenate(field("hashes")),
        levels=np.concatenate(field("levels")),
        even=np.concatenate(field("even")),
        splits=np.repeat(np.arange(len(ordered)), [len(chosen) for _, chosen in ordered]),
        labels=np.concatenate([listing.parts[part].labels[chosen] for part, chosen in ordered]),
        paths=Strings.of(
            listing.parts[part].paths[row] for part, chosen in ordered for row in chosen.tolist()
        ),
        split_names=list(rows),
        classes=listing.classes,
    )
    return find_copies(samples, named=named, near=near)


def _group_leaks(found: Observed, options: DataOptions) -> tuple[GroupLeak, ...]:
    """Groups that came in two splits.  Splits that are carved keep them together."""
    if options.group is None:
        return ()
    where: dict[str, dict[str, list[str]]] = {}
    for name, kept in found.kept.items():
        try:
            keys = group_keys(found.listing, name, kept, options)
        except DataError:
            if found.refused is None:
                raise
            return ()  # what ``refused`` says
        paths = _paths(found.listing, name, kept)
        for key, path in zip(keys, paths, strict=True):
            where.setdefault(key, {}).setdefault(name, []).append(path)
    return tuple(
        GroupLeak(
            key=key,
            images={name: len(paths) for name, paths in sides.items()},
            example={name: paths[0] for name, paths in sides.items()},
        )
        for key, sides in sorted(where.items())
        if len(sides) > 1
    )


def _paths(listing: Listing, name: PartName, rows: Indices) -> Sequence[str]:
    return [listing.parts[name].paths[row] for row in rows.tolist()]


def _form_notes(found: Observed, options: DataOptions) -> list[str]:
    """The rules on size, channels and depth; what is done with odd images is said of them."""
    if found.census is None or found.image is None:
        return []
    # The decoder is not among the notes.
    form = Form(image=found.image, deep=found.scale > 255, fit=options.fit, decoder="pillow")
    odd = tuple(TRAIT_RULES.values())
    return [note for note in form_notes(form, found.census, options) if not note.startswith(odd)]
