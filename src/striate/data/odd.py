"""Odd images that are used all the same, each kind with what is done to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from striate.data.images.header import TRAITS
from striate.data.observing import FORMATS, Observed, Seen
from striate.data.options import DataOptions, Indices
from striate.data.sizing import TRAIT_RULES
from striate.data.sources.listing import PartName
from striate.records.description import Odd

_ENDINGS: Mapping[str, str] = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".mpo": "JPEG",
    ".png": "PNG", ".gif": "GIF", ".bmp": "BMP", ".dib": "BMP", ".tif": "TIFF", ".tiff": "TIFF",
    ".webp": "WebP", ".ppm": "PPM", ".pgm": "PPM", ".pbm": "PPM", ".pnm": "PPM",
}  # fmt: skip
_LOST = 0.5
"""An image of which a crop loses more than this share is odd."""
_MUCH = 2
"""So is one that is enlarged by more than this."""

Marks = NDArray[np.bool_]


def odd_images(
    found: Observed,
    rows: Mapping[PartName, tuple[PartName, Indices]],
    options: DataOptions,
    named: int,
) -> tuple[Odd, ...]:
    """Every kind that occurs, with its outcome, count and first paths."""
    marks: dict[str, tuple[str, int, list[str]]] = {}
    both = any((found.parts[part].channels[chosen] == 3).any() for part, chosen in rows.values())
    for part, chosen in rows.values():
        paths = found.listing.parts[part].paths
        for kind, outcome, odd in _kinds(found, part, np.sort(chosen), options, mixed=both):
            places = np.sort(chosen)[odd].tolist()
            if not places:
                continue
            _, count, some = marks.get(kind, (outcome, 0, []))
            some = [*some, *(paths[row] for row in places[: named - len(some)])]
            marks[kind] = (outcome, count + len(places), some)
    return tuple(
        Odd(kind=kind, outcome=outcome, count=count, paths=tuple(some))
        for kind, (outcome, count, some) in marks.items()
    )


def _kinds(
    found: Observed, part: PartName, rows: Indices, options: DataOptions, *, mixed: bool
) -> Iterator[tuple[str, str, Marks]]:
    """(kind, outcome, which of ``rows``)."""
    seen = found.parts[part]
    yield "blank", "Images of one even colour are kept; nothing is in them", seen.even[rows]
    for number, trait in enumerate(TRAITS):
        yield trait, TRAIT_RULES[trait], seen.traits[rows, number]
    yield (
        "ending", "Files whose ending says another format are read by their content",
        _misnamed(found, part, rows, seen),
    )  # fmt: skip
    if found.image is None or found.census is None:
        return
    if found.image[0] == 3 and mixed:
        yield "gray", "Gray images among colour get three equal channels", seen.channels[rows] == 1
    height, width = found.image[1:]
    sizes = seen.sizes[rows]
    small = (_MUCH * sizes[:, 0] < height) | (_MUCH * sizes[:, 1] < width)
    yield "small", f"Small images are enlarged more than twice, to {height}x{width}", small
    if options.fit == "crop":
        factor = np.minimum(sizes[:, 0] / height, sizes[:, 1] / width)
        left = height * width * factor * factor / sizes.prod(axis=1)
        yield "elongated", "Long images lose more than half of their area to the crop", left < _LOST


def _misnamed(found: Observed, part: PartName, rows: Indices, seen: Seen) -> Marks:
    paths = found.listing.parts[part].paths
    odd = np.zeros(len(rows), np.bool_)
    for i, row in enumerate(rows.tolist()):
        said = _ENDINGS.get(PurePath(paths[row]).suffix.lower())
        odd[i] = said is not None and said != FORMATS[int(seen.formats[row])]
    return odd
