"""Numbers with a bar to scale beside them, as cells of a table.

Comes in: numbers.  Goes out: cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from striate.reporting.html import Child, Html, el, join

WIDE, TALL = 64, 10  # of a bar, in user units
Column = tuple[str, list[Child]]


def bar(value: float, most: float, words: str, *, signed: bool = False) -> Html:
    """A number with a bar to scale behind it; a negative one grows to the left of the middle."""
    if not np.isfinite(value):
        return el("span", "·")
    share = min(1.0, abs(value) / most) if most > 0 else 0.0
    room = WIDE / 2 if signed else WIDE
    start = (room if value >= 0 else room * (1 - share)) if signed else 0.0
    drawn = el(
        "svg.bar",
        el("rect.room", attrs={"width": WIDE, "height": TALL}),
        el(
            "rect.minus" if value < 0 else "rect.plus",
            attrs={"x": f"{start:.2f}", "width": f"{room * share:.2f}", "height": TALL},
        ),
        attrs={"viewBox": f"0 0 {WIDE} {TALL}", "aria-hidden": "true"},
    )
    return join([words, " ", drawn])


def minus(text: str) -> str:
    """A number with a minus sign instead of a hyphen.

    >>> minus("-0.25")
    '−0.25'
    """
    return text.replace("-", "−")


def column(
    title: str,
    values: Sequence[float] | NDArray[np.float64],
    say: Callable[[float], str],
    *,
    most: float | None = None,
) -> Column:
    """A column's heading and its cells, to one scale: ``most``, or the greatest magnitude in it."""
    numbers = [float(value) for value in values]
    finite = [abs(value) for value in numbers if np.isfinite(value)]
    top = max(finite, default=0.0) if most is None else most
    signed = any(value < 0 for value in numbers)
    return title, [bar(value, top, say(value), signed=signed) for value in numbers]
