"""One position of one convolution: patch, kernel, products, sum.

Comes in: Evidence ``mechanics``.  Goes out: a section.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.records import Evidence
from striate.reporting.evidence import shown
from striate.reporting.html import Html, el, join
from striate.reporting.pictures import levels, picture, reduced
from striate.reporting.wording import count, counted, number, size

TILE = 144


def mechanics_section(piece: Evidence) -> Html:
    """The map with the position marked, then a row of tables for each input channel drawn."""
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    facts, arrays = piece.facts, piece.arrays

    def draw() -> Html:
        rows = [
            el(
                "div.controls",
                _numbers(arrays["patch"][k], f"input channel {channel}, the patch"),
                _numbers(arrays["kernel"][k], "times the kernel"),
                _numbers(
                    arrays["products"][k], f"products: {number(float(facts['sums'][k]))} in all"
                ),
            )
            for k, channel in enumerate(facts["drawn"])
        ]
        return join([el("div.controls", _map(piece)), *rows, el("p.sum", _sum(piece))])

    row, col = facts["at"]
    caption = (
        f"{facts['path']}, channel {facts['channel']} of {count(int(facts['channels']))}, on "
        f"{facts['picture']}, at row {row} and column {col} of its {size(facts['size'])} map: "
        f"stride {size(facts['stride'])}, padding {size(facts['padding'])}, dilation "
        f"{size(facts['dilation'])}, {counted(int(facts['groups']), 'group')}. It looks at rows "
        f"{facts['rows'][0]} to {facts['rows'][-1]} and columns {facts['cols'][0]} to "
        f"{facts['cols'][-1]} of {counted(int(facts['inputs']), 'input channel')}; places outside "
        "the map are padding."
    )
    return shown(piece, draw, caption)


def _map(piece: Evidence) -> Html:
    """The output map, and a frame around the position."""
    plane = np.asarray(piece.arrays["output"], np.float64)
    row, col = piece.facts["at"]
    most = float(np.abs(plane).max(initial=0.0))
    pixels = reduced(levels(plane, most, signed=bool((plane < 0).any())), TILE)
    height, width = plane.shape
    words = f"row {row}, column {col}: {number(float(piece.facts['value']))}"
    frame = el(
        "svg.over",
        el(
            "rect.field",
            attrs={
                "x": col,
                "y": row,
                "width": 1,
                "height": 1,
                "vector-effect": "non-scaling-stroke",
            },
        ),
        attrs={"viewBox": f"0 0 {width} {height}", "aria-hidden": "true"},
    )
    return el(
        "div.control.wide",
        el("div.under", picture(pixels, f"output map, {words}", width=TILE), frame),
        el("p", "what it puts out"),
        el("p.small", f"greatest {number(most)}; {words}"),
    )


def _numbers(values: NDArray[Any], title: str) -> Html:
    return el(
        "table.numbers",
        el("caption", title),
        el(
            "tbody",
            *(el("tr", *(el("td.num", number(float(one))) for one in row)) for row in values),
        ),
    )


def _sum(piece: Evidence) -> str:
    facts = piece.facts
    parts = [number(float(one)) for one in facts["sums"]]
    others = int(facts["inputs"]) - len(parts)
    if others:
        rest = number(float(facts["rest"]))
        parts.append(f"{rest} (from {counted(others, 'more channel')})")
    if facts["bias"]:
        parts.append(f"{number(float(facts['bias']))} (bias)")
    return f"{' + '.join(parts)} = {number(float(facts['value']))}"
