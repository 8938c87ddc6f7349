"""What is known of a data set: counts, forms, odd and bad files, copies, leaks, conflicts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

Fault = Literal["bad", "duplicate", "leak", "conflict", "blank", "refused"]
FAULTS: tuple[Fault, ...] = ("bad", "duplicate", "leak", "conflict", "blank", "refused")
"""What a description can be made to fail on."""


@dataclass(frozen=True, kw_only=True)
class SplitCounts:
    """``images``: that can be read.  ``per_class``: in the order of the classes.

    ``carved``: whether the split was made here from what came as train.
    """

    name: str
    carved: bool
    images: int
    per_class: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class BadFile:
    """An image that cannot be used; ``why`` ends the sentence that its path begins."""

    path: str
    split: str
    label: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Odd:
    """Images of an odd kind that are used: ``outcome`` says what is done with them.

    ``count``: all of them.  ``paths``: the first few, in order.
    """

    kind: str
    outcome: str
    count: int
    paths: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Place:
    """One sample: its path, the split it is in, its class."""

    path: str
    split: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Alike:
    """Samples that are one image.

    ``kind``: ``exact`` (the same bytes, or for arrays the same pixels) or ``near`` (they look
    alike).  ``bits``: in how many of 64 bits the perceptual hashes of near ones differ.
    ``leak``: they are in two splits.  ``conflict``: they have two classes.  ``duplicate``: one
    split holds two of them.
    """

    kind: Literal["exact", "near"]
    images: tuple[Place, ...]
    bits: int
    leak: bool
    conflict: bool
    duplicate: bool


@dataclass(frozen=True, kw_only=True)
class GroupLeak:
    """Files of one group that came in two splits: ``example`` has one path of each split."""

    key: str
    images: dict[str, int]
    example: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Leaking:
    """How many images of split ``of`` have a copy in split ``within``."""

    of: str
    within: str
    exact: int
    near: int
    images: int


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Copies, counted over all and named up to a bound.

    ``duplicates``: images that repeat, byte for byte, another of their split.  ``near``: further
    pairs within a split that look alike.  ``leaks``: per pair of splits.  ``conflicts``: sets of
    copies with two classes, ``near_conflicts`` pairs that look alike and have two.
    ``distance``, ``correlation``: the bounds of looking alike; the distance is None where only
    exact copies were looked for.  ``complete``: whether every pair
    within them was found.  ``named``: exact ones first; of leaks, conflicts and
    copies within one split as many of each.
    """

    duplicates: int
    near: int
    leaks: tuple[Leaking, ...]
    conflicts: int
    near_conflicts: int
    distance: int | None
    correlation: float
    complete: bool
    named: tuple[Alike, ...]

    @property
    def leaked(self) -> int:
        """Images of val and test that have a copy in another split, exact or near."""
        return sum(one.exact + one.near for one in self.leaks)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Height and width in which images came.  ``common``: (height, width, images), most first."""

    least: tuple[int, int]
    median: tuple[int, int]
    greatest: tuple[int, int]
    different: int
    common: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class PixelFigures:
    """Of the training split as ``fit`` sees it, all images at ``image`` (C, H, W).

    ``mean``, ``std``: per channel, of pixels divided by ``scale``.  ``least``, ``greatest``: pixel
    values that occur.
    """

    image: tuple[int, int, int]
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    least: int
    greatest: int


@dataclass(frozen=True, kw_only=True)
class DataDescription:
    """A data set, described; ``fit`` would see the same splits, form and figures.

    ``formats``, ``channels``, ``depths``: images by file format, number of channels and bits.
    ``bad_images``: how many cannot be used; ``bad`` names the first.  ``refused``: why ``fit``
    would not take the data even without them, or None; the splits are then those that were given.
    ``pixels``: None where there is no training image to measure.
    ``notes``: the rules that were applied.
    """

    data: str
    name: str
    classes: tuple[str, ...]
    splits: tuple[SplitCounts, ...]
    formats: dict[str, int]
    channels: dict[int, int]
    depths: dict[int, int]
    sizes: Sizes | None
    pixels: PixelFigures | None
    bad_images: int
    bad: tuple[BadFile, ...]
    odd: tuple[Odd, ...]
    copies: Copies
    groups: tuple[GroupLeak, ...]
    group_leaks: int
    refused: str | None
    notes: tuple[str, ...]

    @property
    def images(self) -> int:
        """Images that can be used, over all splits."""
        return sum(split.images for split in self.splits)

    @property
    def per_class(self) -> tuple[int, ...]:
        """Training images of every class."""
        return self.splits[0].per_class

    @property
    def rarest(self) -> int:
        """The number of the class with the fewest training images; the first of several."""
        return self.per_class.index(min(self.per_class))

    @property
    def commonest(self) -> int:
        """The number of the class with the most training images; the first of several."""
        return self.per_class.index(max(self.per_class))

    @property
    def imbalance(self) -> float | None:
        """Training images of the commonest class to one of the rarest; None where that has none."""
        least = min(self.per_class)
        return max(self.per_class) / least if least else None

    def faults(self) -> dict[Fault, int]:
        """How often each kind of fault was found."""
        copies = self.copies
        blank = sum(one.count for one in self.odd if one.kind == "blank")
        return {
            "bad": self.bad_images,
            "duplicate": copies.duplicates + copies.near,
            "leak": self.group_leaks + copies.leaked,
            "conflict": copies.conflicts + copies.near_conflicts,
            "blank": blank,
            "refused": int(self.refused is not None),
        }

    def as_json(self) -> dict[str, Any]:
        """The document of ``striate data --json``; names that are no UTF-8 are escaped."""
        found = _written(asdict(self))
        balance = {
            "rarest": found["classes"][self.rarest],
            "commonest": found["classes"][self.commonest],
            "ratio": self.imbalance,
        }
        for key in ("channels", "depths"):
            found[key] = {str(number): count for number, count in found[key].items()}
        for split in found["splits"]:
            split["per_class"] = dict(zip(found["classes"], split["per_class"], strict=True))
        return {
            "striate": 1,
            **found,
            "images": self.images,
            "balance": balance,
            "faults": dict(self.faults()),
        }


def _written(value: Any) -> Any:
    """``value`` with every string in it as UTF-8 can hold it."""
    if isinstance(value, str):
        return value.encode(errors="surrogateescape").decode(errors="backslashreplace")
    if isinstance(value, dict):
        held = cast("dict[Any, Any]", value)
        return {_written(key): _written(one) for key, one in held.items()}
    if isinstance(value, list | tuple):
        return [_written(one) for one in cast("list[Any]", value)]
    return value
