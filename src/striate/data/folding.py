"""Cross-validation: which of K parts each sample of train and val is in.

Units (single images, or all images of one group, or all copies of one image) are dealt out, the
largest first, those of one size in an order that depends on the seed and their content alone.  Each
goes to the part that has least of its classes: of all parts the one whose sum of squares over
classes of (images of the class here / images of the class in all) grows least, then the one with
the fewest images, then the first.  For single images the parts differ by one image at most in every
class.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from striate.data.options import DataOptions, Indices, Pixels, Words
from striate.data.sources.listing import Decoded, Encoded, Listing, Part, PartName
from striate.data.strings import Strings
from striate.errors import DataError
from striate.keyed import bits


def fold_numbers(labels: Indices, units: Words, *, classes: int, folds: int, seed: int) -> Indices:
    """(N,) the part, 0 … ``folds`` - 1, that each sample is in.

    ``labels`` (N,); ``units`` (N,): samples with equal words stay together.
    """
    words, inverse, sizes = np.unique(units, return_inverse=True, return_counts=True)
    by_unit = np.argsort(inverse, kind="stable")
    ends = np.cumsum(sizes)
    totals: list[int] = np.bincount(labels, minlength=classes).tolist()
    held = [[0] * classes for _ in range(folds)]
    images = [0] * folds
    where = np.zeros(len(words), dtype=np.int64)
    for unit in np.lexsort((words, bits(seed, "split.fold", words), -sizes)).tolist():
        members: list[int] = labels[by_unit[ends[unit] - sizes[unit] : ends[unit]]].tolist()
        counts = Counter(sorted(members))  # in the order of classes, so that sums round alike
        chosen = min(
            range(folds),
            key=lambda fold: (
                sum(
                    n * (2 * held[fold][label] + n) / totals[label] ** 2
                    for label, n in counts.items()
                ),
                images[fold],
                fold,
            ),
        )
        for label, n in counts.items():
            held[chosen][label] += n
        images[chosen] += len(members)
        where[unit] = chosen
    return where[inverse]


def carve_fold(
    listing: Listing, labels: Indices, units: Words, pool: Indices, options: DataOptions
) -> tuple[Indices, Indices]:
    """``pool`` (indices into ``labels``) as those to train on, and the fold's validation part.

    DataError where a class cannot be in every fold.
    """
    assert options.fold is not None
    number, folds = options.fold
    _refuse_many(listing, labels[pool], units[pool], folds, options)
    found = fold_numbers(
        labels[pool], units[pool], classes=len(listing.classes), folds=folds, seed=options.seed
    )
    for fold in range(folds):  # every fold, so that the first of them says it
        left = np.bincount(labels[pool][found != fold], minlength=len(listing.classes))
        if not left.all() or not (found == fold).any():
            raise DataError(
                f"{listing.name}: {folds} folds cannot be made: fold {fold + 1} would be empty, or "
                "leave a class without a training image; use fewer folds or finer groups"
            )
    here = found == number - 1
    return pool[~here], pool[here]


def _refuse_many(
    listing: Listing, labels: Indices, units: Words, folds: int, options: DataOptions
) -> None:
    pairs = np.unique(np.stack([labels.astype(np.uint64), units]), axis=1)
    counts = np.bincount(pairs[0].astype(np.int64), minlength=len(listing.classes))
    least = int(np.argmin(counts))
    most = int(counts[least])
    if most >= folds:
        return
    what = "group" if options.group is not None else "different image"
    what = f"{most} {what}{'' if most == 1 else 's'}"
    mend = "add images" if most < 2 else f"use {most} folds at most, or add images"
    raise DataError(
        f"{listing.name}: class {listing.classes[least]!r} has {what} outside the test split, and "
        f"{folds} folds need one each; {mend}"
    )


def with_val_in_train(listing: Listing) -> Listing:
    """The listing with its given val part behind its train part: folds are made of both."""
    if "val" not in listing.parts:
        return listing
    train, val = listing.parts["train"], listing.parts["val"]
    joined = Part(
        labels=np.concatenate([train.labels, val.labels]),
        paths=Strings.of(part.paths[i] for part in (train, val) for i in range(len(part.labels))),
        content=_joined(listing.name, train, val),
    )
    parts: dict[PartName, Part] = {"train": joined}
    if "test" in listing.parts:
        parts["test"] = listing.parts["test"]
    return Listing(
        name=listing.name,
        classes=listing.classes,
        parts=parts,
        groupable=listing.groupable,
        notes=listing.notes,
    )


def _joined(name: str, train: Part, val: Part) -> Encoded | Decoded:
    one, two = train.content, val.content
    if not isinstance(one, Decoded) and not isinstance(two, Decoded):
        return _Both(one, two, len(train.labels))
    if not isinstance(one, Decoded) or not isinstance(two, Decoded):
        raise DataError(f"{name}: train and val came in different forms; no folds of both")
    if one.pixels.shape[1:] != two.pixels.shape[1:] or one.scale != two.scale:
        raise DataError(
            f"{name}: train and val came in different sizes; bring them to one for folds of both"
        )
    pixels: Pixels = np.concatenate([one.pixels, two.pixels])
    words = None
    if one.words is not None and two.words is not None:
        words = np.concatenate([one.words, two.words])
    return Decoded(pixels=pixels, scale=one.scale, words=words)


class _Both:
    """Encoded images of two parts, those of the second behind the first's."""

    def __init__(self, first: Encoded, second: Encoded, count: int) -> None:
        self._first, self._second, self._count = first, second, count

    def read(self, index: int) -> bytes:
        """The encoded bytes."""
        return self._of(index).read(self._at(index))

    def place(self, index: int) -> str:
        """Where the image lies."""
        return self._of(index).place(self._at(index))

    def _of(self, index: int) -> Encoded:
        return self._first if index < self._count else self._second

    def _at(self, index: int) -> int:
        return index if index < self._count else index - self._count
