"""The stream strip: one row for each measure, one column for each block.

A row is a picture that is stretched to the width there is; what it says of the block that is lit
stands at its end.  The slider below goes through the blocks with a finger or with arrow keys.

Comes in: an Axis.  Goes out: a section.
"""

from __future__ import annotations

import numpy as np

from striate.reporting.axis import Axis, Measure
from striate.reporting.html import Html, el, join
from striate.reporting.tables import table
from striate.reporting.wording import counted

TALL = 40  # of a row, in pixels and user units
GAP = 0.14  # of a column, on each side of its bar


def axis_section(axis: Axis) -> Html:
    """The rows, the slider, and the numbers as a table."""
    names = axis.names
    words = (
        f"{counted(len(names), 'block')}, from the image on the left to the answer on the right. "
        "Choose one, here or wherever it is named: the page marks it in every picture. "
        "Esc lets go of it."
    )
    return join(
        [
            el(
                "figure.axis",
                *(_row(measure, names) for measure in axis.measures),
                _slider(names),
                el("figcaption", words),
            ),
            el(
                "details",
                el("summary", "The numbers"),
                table(
                    ["block", *(measure.title for measure in axis.measures)],
                    [
                        [name, *(_said(measure, at) for measure in axis.measures)]
                        for at, name in enumerate(names)
                    ],
                    label="Every measure of every block",
                    numeric=range(1, 1 + len(axis.measures)),
                    blocks=names,
                ),
            ),
        ]
    )


def _said(measure: Measure, at: int) -> str:
    value = measure.values[at]
    return measure.say(value) if np.isfinite(value) else ""


def _row(measure: Measure, names: tuple[str, ...]) -> Html:
    known = [value for value in measure.values if np.isfinite(value)]
    ends = f"{measure.say(min(known))} to {measure.say(max(known))}"
    best = names[int(np.nanargmax(measure.values))]
    drawn = el(
        "svg.bars",
        el(
            "line.ground",
            attrs={"x1": 0, "x2": len(names), "y1": _height(0, measure), "y2": _height(0, measure)},
        ),
        *(_column(measure, at, name) for at, name in enumerate(names)),
        attrs={
            "viewBox": f"0 0 {len(names)} {TALL}",
            "preserveAspectRatio": "none",
            "role": "img",
            "aria-label": f"{measure.title}: {ends}, greatest at {best}",
        },
    )
    return el(
        "div.measure",
        el("p.what", el("strong", measure.title), " ", el("span", measure.told)),
        drawn,
        el("p.says", ends, attrs={"data-ends": ends}),
    )


def _column(measure: Measure, at: int, name: str) -> Html:
    value = measure.values[at]
    known = np.isfinite(value)
    zero = _height(0, measure)
    top, floor = sorted((_height(value, measure), zero)) if known else (zero, zero)
    parts = [el("rect.hit", attrs={"x": at, "y": 0, "width": 1, "height": TALL})]
    if known:
        parts.append(
            el(
                "rect.minus" if value < 0 else "rect.plus",
                attrs={
                    "x": f"{at + GAP:.2f}",
                    "y": f"{top:.2f}",
                    "width": f"{1 - 2 * GAP:.2f}",
                    "height": f"{max(floor - top, 1):.2f}",
                },
            )
        )
    if measure.ghost is not None and np.isfinite(measure.ghost[1][at]):
        level = f"{_height(measure.ghost[1][at], measure):.2f}"
        parts.append(
            el(
                "line.ghost",
                attrs={"x1": at + GAP, "x2": at + 1 - GAP, "y1": level, "y2": level},
            )
        )
    return el("g", *parts, attrs={"data-block": name, "data-says": _saying(measure, at)})


def _saying(measure: Measure, at: int) -> str:
    if not np.isfinite(measure.values[at]):
        return "not measured"
    words = measure.say(measure.values[at])
    if measure.ghost is not None and np.isfinite(measure.ghost[1][at]):
        words += f" ({measure.ghost[0]}: {measure.say(measure.ghost[1][at])})"
    return words


def _height(value: float, measure: Measure) -> float:
    """From the top, within one unit of either edge."""
    span = (measure.most - measure.least) or 1.0
    share = (min(max(value, measure.least), measure.most) - measure.least) / span
    return 1 + (TALL - 2) * (1 - share)


def _slider(names: tuple[str, ...]) -> Html:
    """``data-names`` is what the script goes through; without it the slider is not shown."""
    return el(
        "div.brush",
        el("label", "block", attrs={"for": "brush"}),
        el(
            "input",
            attrs={
                "type": "range",
                "id": "brush",
                "min": 0,
                "max": len(names) - 1,
                "value": 0,
                "step": 1,
                "data-names": "\n".join(names),
                "aria-valuetext": "none chosen",
            },
        ),
        el("p.chosen", "none chosen", attrs={"id": "chosen", "aria-live": "polite"}),
        attrs={"hidden": True},
    )
