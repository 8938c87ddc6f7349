"""Field against probe: how far each block sees, beside what could be said behind it.

Where the curve goes flat, blocks see further and know no more.

Comes in: an Axis.  Goes out: a section, or nothing where one of the two was not measured.
"""

from __future__ import annotations

import numpy as np

from striate.reporting.axis import Axis, Measure
from striate.reporting.html import Html, el, join
from striate.reporting.tables import table
from striate.reporting.wording import percent

WIDE, TALL = 352, 250
LEFT, RIGHT, TOP, FLOOR = 44, 330, 10, 206


def reach_section(axis: Axis) -> Html | None:
    """The two measures against each other, block after block."""
    probe = axis.measure("probe")
    field = axis.measure("effective field") or axis.measure("field")
    if probe is None or field is None:
        return None
    both = [
        at
        for at in range(len(axis.names))
        if np.isfinite(probe.values[at]) and np.isfinite(field.values[at])
    ]
    if len(both) < 2:
        return None
    best = max(both, key=lambda at: probe.values[at])
    enough = next(at for at in both if probe.values[at] >= probe.values[best] - 0.01)
    words = (
        f"Behind {axis.names[enough]} a linear classifier gets {_percent(probe.values[enough])}, "
        "within a point of the best there is; by then the network looks at "
        f"{_percent(field.values[enough])} of the image's side"
        + (
            f". What comes after it sees up to {_percent(max(field.values[at] for at in both))}."
            if enough != both[-1]
            else "."
        )
    )
    figure = el(
        "figure.half",
        _drawn(axis, probe, field, both),
        el(
            "figcaption",
            f"To the right: {field.title}, as a share of the image's side. Up: accuracy of a "
            "linear classifier on what stands behind the block. The line goes from block to block.",
        ),
    )
    numbers = table(
        ["block", field.title, "probe"],
        [[axis.names[at], _percent(field.values[at]), _percent(probe.values[at])] for at in both],
        label="Field and probe of each block",
        numeric=(1, 2),
        blocks=[axis.names[at] for at in both],
    )
    return join([el("p", words), figure, el("details", el("summary", "The numbers"), numbers)])


def _drawn(axis: Axis, probe: Measure, field: Measure, both: list[int]) -> Html:
    points = {at: (_x(field.values[at]), _y(probe.values[at])) for at in both}
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points.values())
    marks = [0.0, 0.25, 0.5, 0.75, 1.0]
    return el(
        "svg.reach",
        *(el("path.grid", attrs={"d": f"M{LEFT},{_y(mark):.1f}H{RIGHT}"}) for mark in marks),
        *(
            el("text.left", percent(mark, 0), attrs={"x": LEFT - 6, "y": f"{_y(mark) + 4:.1f}"})
            for mark in marks
        ),
        *(
            el("text.below", percent(mark, 0), attrs={"x": f"{_x(mark):.1f}", "y": FLOOR + 18})
            for mark in marks
        ),
        el(
            "text.below",
            f"{field.title}, share of the side",
            attrs={"x": (LEFT + RIGHT) / 2, "y": TALL - 6},
        ),
        el("polyline.way", attrs={"points": line}),
        *(
            el(
                "circle.point",
                el(
                    "title",
                    f"{axis.names[at]}: {field.title} {_percent(field.values[at])}, "
                    f"probe {_percent(probe.values[at])}",
                ),
                attrs={
                    "cx": f"{x:.1f}",
                    "cy": f"{y:.1f}",
                    "r": 5,
                    "data-block": axis.names[at],
                },
            )
            for at, (x, y) in points.items()
        ),
        attrs={
            "viewBox": f"0 0 {WIDE} {TALL}",
            "role": "img",
            "aria-label": "Probe accuracy against the share of the image that is looked at",
        },
    )


def _x(share: float) -> float:
    return LEFT + (RIGHT - LEFT) * share


def _y(share: float) -> float:
    return FLOOR - (FLOOR - TOP) * share


def _percent(value: float) -> str:
    return percent(value, 0)
