"""The patches wall: what each channel answers to most, and what the network makes of its own.

Comes in: Evidence ``patches.<path>``.  Goes out: a section.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from striate.records import Evidence
from striate.reporting.evidence import shown
from striate.reporting.html import Html, el, join
from striate.reporting.pictures import Photos, of_data, photo
from striate.reporting.wording import count, counted, number, percent, size

TILE = 72


def patches_section(pieces: Sequence[Evidence], photos: Photos) -> Html:
    """Place after place; a row for each channel."""
    return join(part for piece in pieces for part in (el("h3", piece.title), _place(piece, photos)))


def _place(piece: Evidence, photos: Photos) -> Html:
    if piece.inapplicable is not None or "images" not in piece.arrays:
        return shown(piece, lambda: el("div"), "")
    facts, arrays = piece.facts, piece.arrays

    def row(at: int, channel: int) -> Html:
        tiles: list[Html] = []
        for turn, image in enumerate(arrays["images"][at]):
            top, left, bottom, right = (int(edge) for edge in arrays["boxes"][at, turn])
            words = (
                f"channel {channel}, image {int(arrays['indices'][at, turn])}, rows {top} to "
                f"{bottom - 1}, columns {left} to {right - 1}: "
                f"{number(float(arrays['values'][at, turn]))}"
            )
            cut = np.asarray(image)[:, top:bottom, left:right]
            tiles.append(
                of_data(photo(cut, photos.pixel_range), photos, words, width=TILE, title=words)
            )
        told = (
            f"Channel {channel}: {percent(float(facts['purity'][at]), 0)} are called "
            f"{facts['classes'][at]}."
        )
        return join([el("p.small", told), el("div.wall", *tiles)])

    def draw() -> Html:
        return join([row(at, channel) for at, channel in enumerate(facts["drawn"])])

    whole = "" if facts["status"] in ("exact", "bound", "gated") else " They see the whole image."
    caption = (
        f"{len(facts['drawn'])} of {counted(int(facts['channels']), 'channel')}: those whose "
        f"favourites among {count(int(facts['images']))} images of the {facts['split']} split are "
        "most of one kind, strongest first, cut to the receptive field of "
        f"{size(facts['field'])} pixels ({facts['status']}), less what lies outside the image."
        f"{whole} {count(int(facts['left_out']))} left out, which had the same favourites before "
        f"training; {count(int(facts['idle']))} never change."
    )
    return shown(piece, draw, caption, block=str(facts["path"]))
