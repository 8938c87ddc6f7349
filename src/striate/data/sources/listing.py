"""What every source gives: samples as they were found, in no particular order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from striate.data.options import Indices, Pixels, Words
from striate.data.split import Truth
from striate.data.strings import Strings

PartName = Literal["train", "val", "test"]

SPLIT_WORDS: Mapping[str, PartName] = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
"""Names of folders and files that say which split they hold (in lower case)."""


class Encoded(Protocol):
    """Images as files hold them."""

    def read(self, index: int) -> bytes:
        """The encoded bytes; BadImage where they cannot be had."""
        ...

    def place(self, index: int) -> str:
        """Where the image lies, for a message to the user."""
        ...


class Drawn(Protocol):
    """What knows the truth of drawn pictures, by their place in the part."""

    def truth(self, indices: Indices) -> Truth: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoded:
    """Images as arrays: ``pixels`` (N, C, H, W), divided by ``scale`` for 0…1.

    ``words`` (N,) are the samples' digests where they are not taken from the pixels.
    """

    pixels: Pixels
    scale: float
    words: Words | None = None
    drawn: Drawn | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """The samples of one given split, or all of them (as ``train``) where none was given.

    ``labels`` (N,) index the listing's classes.  ``paths``: relative to the data set; the regular
    expression ``group`` looks at them.
    """

    labels: Indices
    paths: Strings
    content: Encoded | Decoded


@dataclass(frozen=True, kw_only=True, eq=False)
class Listing:
    """``groupable``: whether the paths are the user's own.  ``notes``: rules that were applied."""

    name: str
    classes: tuple[str, ...]
    parts: Mapping[PartName, Part]
    groupable: bool = False
    notes: tuple[str, ...] = ()
