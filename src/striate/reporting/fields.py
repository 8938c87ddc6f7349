"""The effective receptive field beside the traced one, layer by layer.

Comes in: Evidence ``fields``.  Goes out: a section.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from striate.records import Evidence
from striate.reporting.evidence import shown
from striate.reporting.html import Html, el, join
from striate.reporting.pictures import levels, picture, reduced
from striate.reporting.tables import table
from striate.reporting.wording import number, percent, size

TILE = 104


def fields_section(piece: Evidence) -> Html:
    """Tiles before and after training, and a table of the numbers."""
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    rows: Sequence[Mapping[str, Any]] = piece.facts["layers"]
    caption = (
        "Brightness: how strongly the middle of each layer's map depends on each pixel (root mean "
        f"square gradient over {piece.facts['images']} images of the {piece.facts['split']} split "
        "and all channels); each tile has its own scale, black is 0. Width: its deviation in "
        "pixels. Share: pixels above 4.55 % of the greatest, in what the traced field covers of "
        "the image."
    )

    def draw() -> Html:
        return join(
            [
                el("div.controls", *(_tiles(piece, at, row) for at, row in enumerate(rows))),
                _table(rows),
            ]
        )

    return shown(piece, draw, caption)


def _tiles(piece: Evidence, at: int, row: Mapping[str, Any]) -> Html:
    drawn: list[Html] = []
    for when in ("before", "after"):
        plane = np.asarray(piece.arrays[f"{when}.{at}"], np.float64)
        words = f"{row['path']}, {when} training: width {number(row[when]['width'])} px"
        pixels = reduced(levels(plane, float(plane.max(initial=0.0)), signed=False), TILE)
        drawn.append(picture(pixels, words, width=TILE, title=words))
        drawn.append(el("p.small", f"{when}: {row[when]['width']:.1f} px"))
    return el(
        "div.control", el("p", str(row["path"])), *drawn, attrs={"data-block": str(row["path"])}
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> Html:
    heads = ["layer", "traced field", "status", "width before", "after", "share before", "after"]
    return table(
        heads,
        [
            [
                str(row["path"]),
                size(row["size"]),
                str(row["status"]),
                f"{row['before']['width']:.2f} px",
                f"{row['after']['width']:.2f} px",
                percent(float(row["before"]["share"]), 0),
                percent(float(row["after"]["share"]), 0),
            ]
            for row in rows
        ],
        label="Fields, traced and measured",
        numeric=(1, 3, 4, 5, 6),
        blocks=[str(row["path"]) for row in rows],
    )
