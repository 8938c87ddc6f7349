"""Accuracy against a cost: every design with its error bar, the front, and the lines of series.

Comes in: a SweepResult.  Goes out: Vega-Lite specifications in the page's own colours.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from striate.records.sweep import COSTS, Judge, SweepPoint, SweepResult, front
from striate.reporting.charts import INK, MUTED, Row, Spec, finished

SHAPES = (
    "circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right",
    "triangle-left",
)  # fmt: skip
SIGNS = "●■▲◆✚▼▶◀"
"""The shapes as characters, for the key."""

SPREAD = 8.0
"""A cost is drawn on a log scale where the dearest design has this many times the cheapest's."""


def series_of(result: SweepResult) -> list[str]:
    """The lines of the chart, in the order of the plan."""
    drawn = [point for point in result.points if point.judged("test") is not None]
    return list(dict.fromkeys(line for point in drawn for line in point.series))


def anchor(result: SweepResult, name: str) -> str:
    """The id of a design's place on the page."""
    number = next(n for n, point in enumerate(result.points) if point.name == name)
    return f"design-{number}"


def front_chart(result: SweepResult, cost: str, judge: Judge) -> Spec | None:
    """Accuracy on ``judge``'s images against ``cost``; None where nothing can be drawn."""
    shown = [point for point in result.points if _known(point, cost, judge)]
    if not shown:
        return None
    best = front(result.points, cost, judge)
    lines = series_of(result)
    rows = [_row(result, point, cost, judge, point.series[0]) for point in shown]
    prices = [row["cost"] for row in rows]
    x = alt.X(
        "cost:Q",
        title=_titled(result, cost),
        scale=_scale(prices),
        axis=alt.Axis(format="~s" if cost != "latency" else "~g", grid=False),
    )
    lows, highs = [row["low"] for row in rows], [row["high"] for row in rows]
    y_axis = alt.Axis(format=".1%" if max(highs) - min(lows) < 0.05 else ".0%")
    y_scale = alt.Scale(zero=False, nice=True)
    y = alt.Y("accuracy:Q", title=f"{judge} accuracy", scale=y_scale, axis=y_axis)
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=lines, range=[f"var(--s{n % 8 + 1})" for n in range(len(lines))]),
        legend=None,
    )
    shape = alt.Shape(
        "series:N",
        scale=alt.Scale(domain=lines, range=[SHAPES[n % 8] for n in range(len(lines))]),
        legend=None,
    )
    along: list[Row] = [
        _row(result, point, cost, judge, line) for point in shown for line in point.series
    ]
    edge: list[Row] = sorted(
        (row for row in rows if row["design"] in best), key=lambda row: row["cost"]
    )
    base = alt.Chart(alt.Data(values=rows)).encode(x=x)
    tip = [
        alt.Tooltip("design:N"),
        alt.Tooltip("told:N", title=f"{judge} accuracy"),
        *(alt.Tooltip(f"{key}:N", title=said) for key, said in _tips(result)),
    ]
    layers = [
        alt.Chart(alt.Data(values=along))
        .mark_line(strokeWidth=1.25, opacity=0.55)
        .encode(x=x, y=y, color=colour, order="cost:Q"),
        alt.Chart(alt.Data(values=edge))
        .mark_line(interpolate="step-after", strokeWidth=1.5, strokeDash=[5, 4], color=INK)
        .encode(x=x, y=y),
        base.mark_rule(strokeWidth=1.5).encode(
            y=alt.Y("low:Q", title=f"{judge} accuracy", scale=y_scale, axis=y_axis),
            y2="high:Q",
            color=colour,
        ),
        base.mark_point(filled=True, size=90, opacity=1, stroke=MUTED, strokeWidth=0).encode(
            y=y, color=colour, shape=shape, tooltip=tip
        ),
    ]
    return finished(alt.layer(*layers), height=380)


def _known(point: SweepPoint, cost: str, judge: Judge) -> bool:
    return point.cost(cost) is not None and point.judged(judge) is not None


def _tips(result: SweepResult) -> list[tuple[str, str]]:
    told = any(point.latency is not None for point in result.points)
    return [(f"tip_{key}", said) for key, said in COSTS.items() if key != "latency" or told]


def _row(result: SweepResult, point: SweepPoint, cost: str, judge: Judge, series: str) -> Row:
    judged, price = point.judged(judge), point.cost(cost)
    assert judged is not None
    assert price is not None
    error = judged.error or 0.0
    told = f"{judged.mean:.2%}"
    if judged.error is not None:
        told += f" ± {100 * judged.error:.2f} ({judged.n} seeds)"
    row: Row = {
        "id": anchor(result, point.name),
        "design": point.name,
        "series": series,
        "cost": price * 1e3 if cost == "latency" else price,
        "accuracy": judged.mean,
        "low": judged.mean - error,
        "high": judged.mean + error,
        "told": told,
    }
    for key in COSTS:
        value = point.cost(key)
        if value is not None:
            row[f"tip_{key}"] = f"{value * 1e3:.3g} ms" if key == "latency" else f"{value:,.0f}"
    return row


def _titled(result: SweepResult, cost: str) -> str:
    if cost != "latency":
        return COSTS[cost]
    images = "one image" if result.latency_batch == 1 else f"{result.latency_batch} images"
    return f"measured latency of {images} (ms)"


def _scale(prices: Sequence[float]) -> alt.Scale:
    if max(prices) >= SPREAD * min(prices) > 0:
        return alt.Scale(type="log", nice=False, padding=24)
    return alt.Scale(zero=False, nice=False, padding=24)
