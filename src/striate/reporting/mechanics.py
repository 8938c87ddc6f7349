"""One convolution on one image, position by position: patch, kernel, products, sum.

The kernel can be moved: with the pointer over what goes in or what comes out, with the arrow keys
on either, or by resting on the kernel, which then walks by itself.  The numbers it needs lie in the
page: the planes that are drawn, around the position that was asked for.

Comes in: Evidence ``mechanics``.  Goes out: a section.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.records import Evidence
from striate.reporting.evidence import shown
from striate.reporting.html import Html, el
from striate.reporting.pictures import Photos, levels, photo, picture, reduced
from striate.reporting.wording import count, counted, number, size

TILE = 144
WALK = 48  # positions along a side that the page can go to
DIGITS = 5


def mechanics_section(piece: Evidence, photos: Photos) -> Html:
    """What goes in and what comes out, then a row of tables for each input channel drawn."""
    if piece.inapplicable is not None or piece.withheld:
        return shown(piece, lambda: el("div"), "")
    if not photos.embed:
        return el(
            "p.inapplicable",
            f"The sums of {piece.facts['path']} are those of an image's values, and images are not "
            "embedded in this page.",
        )
    facts, arrays = piece.facts, piece.arrays

    def draw() -> Html:
        rows = [
            el(
                "div.controls",
                _numbers(arrays["patch"][k], f"input channel {channel}, the patch", "patch"),
                _numbers(arrays["kernel"][k], "times the kernel", "kernel"),
                _numbers(
                    arrays["products"][k],
                    f"products: {number(float(facts['sums'][k]))} in all",
                    "products",
                ),
            )
            for k, channel in enumerate(facts["drawn"])
        ]
        return el(
            "div.walk",
            el("div.controls", _taken(piece, photos), _given(piece)),
            *rows,
            el("p.sum", _sum(piece), attrs={"aria-live": "polite"}),
            _data(piece),
            attrs={"data-walk": "mechanics"},
        )

    row, col = facts["at"]
    caption = (
        f"{facts['path']}, channel {facts['channel']} of {count(int(facts['channels']))}, on "
        f"{facts['picture']}, at row {row} and column {col} of its {size(facts['size'])} map: "
        f"stride {size(facts['stride'])}, padding {size(facts['padding'])}, dilation "
        f"{size(facts['dilation'])}, {counted(int(facts['groups']), 'group')}. It looks at rows "
        f"{facts['rows'][0]} to {facts['rows'][-1]} and columns {facts['cols'][0]} to "
        f"{facts['cols'][-1]} of {counted(int(facts['inputs']), 'input channel')}; places outside "
        "the map are padding. Point at either map, use the arrow keys on it, or rest on the "
        "kernel, and the kernel moves."
    )
    return shown(piece, draw, caption, block=str(facts["path"]))


def _taken(piece: Evidence, photos: Photos) -> Html:
    """What goes in, and a frame around what the kernel lies on."""
    facts, arrays = piece.facts, piece.arrays
    plane = np.asarray(arrays["input"][0], np.float64)
    image = arrays["image"]
    own = image.shape[1:] == plane.shape and len(image) == int(facts["inputs"])
    if own:
        pixels, named = photo(image, photos.pixel_range, largest=TILE), "the image"
    else:
        most = float(np.abs(plane).max(initial=0.0))
        pixels = reduced(levels(plane, most, signed=bool((plane < 0).any())), TILE)
        named = f"input channel {facts['drawn'][0]}"
    rows, cols = facts["rows"], facts["cols"]
    box = (cols[0], rows[0], cols[-1] - cols[0] + 1, rows[-1] - rows[0] + 1)
    words = f"{named}, with the kernel at row {facts['at'][0]}, column {facts['at'][1]}"
    return _movable(pixels, plane.shape, box, "what goes in", words, "taken")


def _given(piece: Evidence) -> Html:
    """The output map, and a frame around the position."""
    plane = np.asarray(piece.arrays["output"], np.float64)
    row, col = piece.facts["at"]
    most = float(np.abs(plane).max(initial=0.0))
    pixels = reduced(levels(plane, most, signed=bool((plane < 0).any())), TILE)
    words = f"row {row}, column {col}: {number(float(piece.facts['value']))}"
    return _movable(
        pixels, plane.shape, (col, row, 1, 1), "what comes out", words, "given",
        aside=f"greatest {number(most)}",
    )  # fmt: skip


def _movable(
    pixels: NDArray[np.uint8],
    shape: tuple[int, ...],
    box: tuple[int, int, int, int],
    name: str,
    words: str,
    kind: str,
    aside: str | None = None,
) -> Html:
    height, width = shape
    x, y, wide, tall = box
    frame = el(
        "svg.over",
        el(
            "rect.field",
            attrs={
                "x": x,
                "y": y,
                "width": wide,
                "height": tall,
                "vector-effect": "non-scaling-stroke",
            },
        ),
        attrs={"viewBox": f"0 0 {width} {height}", "aria-hidden": "true"},
    )
    mover = el(
        f"button.under.{kind}",
        picture(pixels, "", width=TILE),
        frame,
        attrs={"type": "button", "aria-label": f"{name}: {words}. Arrow keys move the kernel."},
    )
    return el(
        "div.control.wide",
        mover,
        el("p", name),
        el("p.small.where", words),
        el("p.small", aside) if aside else None,
    )


def _numbers(values: NDArray[Any], title: str, kind: str) -> Html:
    return el(
        f"table.numbers.{kind}",
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


def _data(piece: Evidence) -> Html:
    """What the script needs to work out any position near the one that is drawn.

    ``first``, ``last``: the positions it may go to.  ``corner``: the place in the input of the
    first of ``planes``, which hold zeros where there is padding.
    """
    facts, arrays = piece.facts, piece.arrays
    output = np.asarray(arrays["output"], np.float64)
    kernel = np.asarray(arrays["kernel"], np.float64)
    first = [
        max(0, min(at - WALK // 2, side - WALK))
        for at, side in zip(facts["at"], output.shape, strict=True)
    ]
    last = [min(at + WALK, side) - 1 for at, side in zip(first, output.shape, strict=True)]
    moves = list(zip(facts["stride"], facts["padding"], facts["dilation"], strict=True))
    corner = [at * step - pad for at, (step, pad, _) in zip(first, moves, strict=True)]
    ends = [
        at * step - pad + wide * (side - 1) + 1
        for at, (step, pad, wide), side in zip(last, moves, kernel.shape[1:], strict=True)
    ]
    planes = np.stack(
        [_cut(np.asarray(plane, np.float64), corner, ends) for plane in arrays["input"]]
    )
    data = {
        "at": facts["at"],
        "first": first,
        "last": last,
        "corner": corner,
        "stride": facts["stride"],
        "padding": facts["padding"],
        "dilation": facts["dilation"],
        "planes": _rounded(planes),
        "kernel": _rounded(kernel),
        "output": _rounded(output[first[0] : last[0] + 1, first[1] : last[1] + 1]),
        "others": int(facts["inputs"]) - len(kernel),
        "bias": float(facts["bias"]),
        "channels": facts["drawn"],
    }
    written = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return Html(f'<script type="application/json">{written}</script>')


def _cut(plane: NDArray[np.float64], corner: list[int], ends: list[int]) -> NDArray[np.float64]:
    """The rectangle from ``corner`` up to ``ends``; zeros where it reaches beyond the plane."""
    found = np.zeros([end - start for start, end in zip(corner, ends, strict=True)])
    low = [max(0, start) for start in corner]
    high = [min(side, end) for side, end in zip(plane.shape, ends, strict=True)]
    places = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, corner, strict=True))
    found[places] = plane[low[0] : high[0], low[1] : high[1]]
    return found


def _rounded(values: NDArray[np.float64]) -> Any:
    """Nested lists of numbers of five digits."""
    if values.ndim > 1:
        return [_rounded(part) for part in values]
    return [float(f"{value:.{DIGITS}g}") for value in values.tolist()]
