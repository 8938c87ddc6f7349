"""The loss around the weights that were found.

Comes in: Evidence ``landscape``.  Goes out: a section.
"""

from __future__ import annotations

import numpy as np

from striate.records import Evidence
from striate.reporting.bars import column, minus
from striate.reporting.evidence import shown
from striate.reporting.html import Child, Html, el, join
from striate.reporting.pictures import levels, picture
from striate.reporting.tables import table
from striate.reporting.wording import counted, number

TILE = 224


def landscape_section(piece: Evidence) -> Html:
    """The plane as a picture, the two lines as a table with bars."""
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    facts, arrays = piece.facts, piece.arrays
    plane = np.asarray(arrays["plane"], np.float64)
    line = np.asarray(arrays["line"], np.float64)

    def draw() -> Html:
        height = np.log1p(plane)
        pixels = levels(height, float(height.max(initial=1e-9)), signed=False)
        words = (
            "Loss over two random filter-normalised directions, the found weights in the middle; "
            f"from {number(float(plane.min()))} (dark) to {number(float(plane.max()))} (bright) "
            "nats, drawn by log(1 + loss)"
        )
        columns = [column(f"along {at + 1}", line[at], number)[1] for at in (0, 1)]
        rows: list[list[Child]] = [
            [minus(f"{place:+.3g}") if place else "0", columns[0][at], columns[1][at]]
            for at, place in enumerate(arrays["at"])
        ]
        heads = ["how far", "along the first", "along the second"]
        middle = len(rows) // 2
        return join(
            [
                picture(pixels, words, width=TILE, title=words),
                table(heads, rows, label="Loss along two lines", numeric=(0, 1, 2), marked=middle),
            ]
        )

    caption = (
        f"Mean cross-entropy, in nats, over the first {counted(facts['images'], 'image')} of the "
        f"{facts['split']} split. A direction is random, and each of its filters as long as the "
        "network's own (Li et al. 2018): 1 moves every filter by its own norm; biases and norms' "
        "parameters stay."
    )
    if facts["norms"]:
        caption += (
            " Batch norms normalise by these images at every point, since kept statistics belong "
            f"to the middle alone: there it is {number(float(facts['centre']))}, and "
            f"{number(float(facts['kept']))} with the statistics of training."
        )
    return shown(piece, draw, caption)
