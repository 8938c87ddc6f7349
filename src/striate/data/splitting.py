"""From what a source listed to three splits: given ones are kept, missing ones carved.

``test`` and ``val`` are carved from the images that came as ``train``; never from each other.
Copies of one image stay on one side, and so does what shares a group's key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from striate.data.dividing import divide
from striate.data.folding import carve_fold
from striate.data.identity import key_word, sample_ids
from striate.data.options import DataOptions, Indices, Words
from striate.data.sources.listing import Listing, PartName
from striate.errors import DataError

SPLITS: tuple[PartName, ...] = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True, eq=False)
class Selection:
    """One split: which samples of which part, in ascending order of their ids."""

    part: PartName
    rows: Indices
    ids: Words


def split_up(
    listing: Listing,
    kept: Mapping[PartName, Indices],
    digests: Mapping[PartName, Words],
    options: DataOptions,
) -> tuple[dict[PartName, Selection], tuple[str, ...]]:
    """The three splits (``val`` may be empty) and notes on how they came about.

    ``kept``: rows of each part that can be read.  ``digests``: of all rows of each part.
    """
    keys: dict[PartName, list[str]] = {
        name: group_keys(listing, name, rows, options) for name, rows in kept.items()
    }
    _check_groups(keys, listing.name)
    part = listing.parts["train"]
    rows = kept["train"]
    labels = part.labels[rows]
    units = digests["train"][rows]
    if options.group is not None:
        units = np.array([key_word(key) for key in keys["train"]], dtype=np.uint64)
    shares: dict[str, float] = {}
    if "test" not in kept:
        shares["test"] = options.test
    if "val" not in kept and options.val > 0 and options.fold is None:
        shares["val"] = options.val
    _check_classes(listing, labels)
    found = divide(labels, units, classes=len(listing.classes), shares=shares, seed=options.seed)
    if "test" in shares and not len(found["test"]):
        raise DataError(
            f"{listing.name}: a share of {options.test} of {len(rows)} images leaves no test "
            "image; add images, give a test split, or take a larger test share or finer groups"
        )
    if options.fold is not None:
        found["train"], found["val"] = carve_fold(listing, labels, units, found["train"], options)
    left = _shared(labels, units, found["train"], len(listing.classes), options)
    asked, found["train"] = len(found["train"]), left
    selections: dict[PartName, Selection] = {}
    for name in SPLITS:
        if name in found:
            selections[name] = _select(listing, "train", rows[found[name]], digests)
        elif name in kept:
            selections[name] = _select(listing, name, kept[name], digests)
        else:
            selections[name] = _select(listing, "train", rows[:0], digests)
    notes = _notes(selections, shares, found, options)
    if options.share < 1:
        used = f"train: {len(left)} of {asked} images, a share of {options.share:g}."
        notes = (*notes, used)
    return selections, notes


def _shared(
    labels: Indices, units: Words, train: Indices, classes: int, options: DataOptions
) -> Indices:
    """The part of ``train`` that is used; what is not keeps its groups and copies together."""
    if options.share == 1:
        return train
    out = {"unused": 1 - options.share}
    parts = divide(labels[train], units[train], classes=classes, shares=out, seed=options.seed)
    return train[parts["train"]]


def _select(
    listing: Listing, part: PartName, rows: Indices, digests: Mapping[PartName, Words]
) -> Selection:
    paths = listing.parts[part].paths
    ids = sample_ids(digests[part][rows], [paths[row] for row in rows.tolist()])
    by_id = np.argsort(ids, kind="stable")
    return Selection(part=part, rows=rows[by_id], ids=ids[by_id])


def group_keys(listing: Listing, name: PartName, rows: Indices, options: DataOptions) -> list[str]:
    """The group's key of each of ``rows``; nothing where no group was asked for.

    Raises DataError for a path that has none.
    """
    if options.group is None:
        return []
    if not listing.groupable:
        raise DataError(
            f"group {options.group!r} looks at paths, and {listing.name} has none; leave it out"
        )
    expression = re.compile(options.group)
    paths = listing.parts[name].paths
    keys: list[str] = []
    for row in rows.tolist():
        match = expression.search(paths[row])
        key = match and match.group(1 if expression.groups else 0)
        if key is None:
            raise DataError(
                f"{listing.name}: {paths[row]} does not match group {options.group!r}; "
                "use an expression that every path matches"
            )
        keys.append(key)
    return keys


def _check_groups(keys: Mapping[PartName, list[str]], name: str) -> None:
    """Given splits must keep groups apart too."""
    seen: dict[str, PartName] = {}
    for part in SPLITS:
        for key in sorted(set(keys.get(part, []))):
            if seen.setdefault(key, part) != part:
                raise DataError(
                    f"{name}: group {key!r} is in both {seen[key]} and {part} as given; "
                    "move its files to one side, or leave group out"
                )


def _check_classes(listing: Listing, labels: Indices) -> None:
    if len(listing.classes) < 2:
        raise DataError(
            f"{listing.name} has one class only ({', '.join(listing.classes)}); "
            "a classifier needs two or more"
        )
    counts = np.bincount(labels, minlength=len(listing.classes))
    if not counts.all():
        missing = listing.classes[int(np.flatnonzero(counts == 0)[0])]
        raise DataError(
            f"{listing.name}: class {missing!r} has no training image; add images or remove it"
        )


def _notes(
    selections: Mapping[PartName, Selection],
    shares: Mapping[str, float],
    found: Mapping[str, Indices],
    options: DataOptions,
) -> tuple[str, ...]:
    notes: list[str] = []
    for name, share in shares.items():
        how = f"by group {options.group!r}" if options.group else "class by class"
        notes.append(
            f"{name}: {len(found[name])} images, a share of {share:g} of those given without a "
            f"{name} split, chosen {how} by their content and seed {options.seed}."
        )
    if options.fold is not None:
        number, folds = options.fold
        pool = len(found["train"]) + len(found["val"])
        how = f"by group {options.group!r}" if options.group else "class by class"
        notes.append(
            f"val: {len(found['val'])} images, fold {number} of {folds} of the {pool} that are not "
            f"test, chosen {how} by their content and seed {options.seed}."
        )
    if not len(selections["val"].rows):
        notes.append("val: no validation split.")
    train = selections["train"].ids
    for name in ("val", "test"):
        copies = int(np.isin(selections[name].ids, train).sum())
        if copies:
            notes.append(
                f"{name}: exact copies of training images: {copies}; they make it look easier."
            )
    return tuple(notes)
