"""Charts as Vega-Lite specifications, in the page's own colours.

A colour is a CSS variable, so that one drawing serves light, dark and paper.  Nothing here is
computed: numbers come from ``measures`` and the records.

Comes in: records.  Goes out: specifications (plain dictionaries) ready for the page's script.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from striate.records import EpochRecord, StepRecord
from striate.reporting.measures import Bin, ClassScore, wilson

ACCENT, INK, MUTED, LINE, PAPER = (
    f"var(--{name})" for name in ("accent", "ink", "muted", "line", "paper")
)
Spec = dict[str, Any]
Row = dict[str, Any]


def loss_chart(epochs: Sequence[EpochRecord]) -> Spec:
    """Training and validation loss by epoch."""
    points = [(e.epoch, e.train_loss, e.val_loss) for e in epochs]
    return _curves(points, title="loss (nats)", form=".3f")


def accuracy_chart(epochs: Sequence[EpochRecord]) -> Spec:
    """Training and validation accuracy by epoch."""
    points = [(e.epoch, e.train_accuracy, e.val_accuracy) for e in epochs]
    return _curves(points, title="accuracy", form=".1%")


def _curves(points: list[tuple[int, float, float | None]], *, title: str, form: str) -> Spec:
    """A thin grey line for training and a bold one for validation, as the caption says.

    The pointer reads off the nearest epoch.
    """
    rows: list[Row] = [
        {"epoch": epoch, "training": training}
        | ({} if validation is None else {"validation": validation})
        for epoch, training, validation in points
    ]
    splits = ["training", "validation"] if "validation" in rows[-1] else ["training"]
    x = alt.X(
        "epoch:Q",
        title="epoch",
        axis=alt.Axis(values=_ticks([row["epoch"] for row in rows]), format="d", grid=False),
        scale=alt.Scale(nice=False, zero=False),
    )
    axis = alt.Axis(format="%" if "%" in form else "~g")
    scale = alt.Scale(zero=False, nice=True)
    base = alt.Chart(alt.Data(values=rows)).encode(x=x)
    near = alt.selection_point(
        name="near", nearest=True, on="pointerover", encodings=["x"], empty=False
    )
    layers: list[alt.Chart] = []
    for split in splits:
        colour, wide = (MUTED, 1.5) if split == "training" else (ACCENT, 2.5)
        y = alt.Y(f"{split}:Q", title=title, scale=scale, axis=axis)
        layers.append(base.mark_line(strokeWidth=wide, color=colour).encode(y=y))
        layers.append(
            base.mark_point(filled=True, opacity=1, color=colour).encode(
                y=y, size=alt.condition(near, alt.value(50), alt.value(50 if len(rows) < 2 else 0))
            )
        )
    read = base.mark_rule(color=MUTED).encode(
        opacity=alt.condition(near, alt.value(0.5), alt.value(0)),
        tooltip=[
            alt.Tooltip("epoch:Q", format="d"),
            *(alt.Tooltip(f"{split}:Q", title=f"{split} {title}", format=form) for split in splits),
        ],
    )
    return finished(alt.layer(read.add_params(near), *layers), height=200)


def _ticks(numbers: Sequence[int]) -> list[int]:
    """Whole numbers for an axis, at most seven of them, evenly spaced, the last one among them."""
    first, last = min(numbers), max(numbers)
    step = max(1, -(-(last - first) // 6))
    return list(range(last, first - 1, -step))[::-1]


def rate_chart(steps: Sequence[StepRecord]) -> Spec:
    """The learning rate as it was applied, by step; at most 400 steps are drawn."""
    every = max(1, len(steps) // 400)
    kept = [step for index, step in enumerate(steps) if index % every == 0 or step is steps[-1]]
    rows: list[Row] = [{"step": step.step, "rate": step.lr} for step in kept]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(strokeWidth=2, color=MUTED)
        .encode(
            x=alt.X(
                "step:Q",
                title="step",
                axis=alt.Axis(tickMinStep=1, format="d", grid=False),
                scale=alt.Scale(nice=False),
            ),
            y=alt.Y("rate:Q", title="learning rate"),
            tooltip=[alt.Tooltip("step:Q", format=",d"), alt.Tooltip("rate:Q", format=".3g")],
        )
    )
    return finished(chart, height=200)


def reliability_chart(bins: Sequence[Bin]) -> Spec:
    """How often it is right against how sure it is; the diagonal is a perfect match."""
    rows: list[Row] = []
    for part in bins:
        low, high = wilson(round(part.accuracy * part.count), part.count)
        rows.append(
            {
                "confidence": part.confidence,
                "accuracy": part.accuracy,
                "count": part.count,
                "low": low,
                "high": high,
            }
        )
    share = alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1])
    x = alt.X("confidence:Q", title="confidence", scale=alt.Scale(domain=[0, 1]), axis=share)
    y = alt.Y("accuracy:Q", title="share that is right", scale=alt.Scale(domain=[0, 1]), axis=share)
    diagonal: list[Row] = [{"confidence": 0, "accuracy": 0}, {"confidence": 1, "accuracy": 1}]
    base = alt.Chart(alt.Data(values=rows)).encode(x=x)
    chart = alt.layer(
        alt.Chart(alt.Data(values=diagonal))
        .mark_line(strokeWidth=1, strokeDash=[4, 4], color=MUTED)
        .encode(x=x, y=y),
        base.mark_rule(strokeWidth=1.5, color=ACCENT).encode(
            y=alt.Y("low:Q", title="share that is right"), y2="high:Q"
        ),
        base.mark_point(filled=True, color=ACCENT, opacity=1).encode(
            y=y,
            size=alt.Size(
                "count:Q", legend=None, scale=alt.Scale(type="sqrt", rangeMin=24, rangeMax=320)
            ),
            tooltip=[
                alt.Tooltip("confidence:Q", format=".1%"),
                alt.Tooltip("accuracy:Q", title="right", format=".1%"),
                alt.Tooltip("count:Q", title="images", format=",d"),
            ],
        ),
    )
    return finished(chart, height=300)


def class_chart(scores: Sequence[ClassScore]) -> Spec:
    """Accuracy of each class with its 95 % interval, in the order given."""
    rows: list[Row] = []
    for score in scores:
        low, high = wilson(score.right, score.total)
        rows.append(
            {
                # Two classes may bear one name: the number keeps their rows apart.
                "key": score.index,
                "class": score.name,
                "accuracy": score.accuracy,
                "low": low,
                "high": high,
                "right": f"{score.right:,} of {score.total:,}",
            }
        )
    names = " : ".join(f"datum.value == {s.index} ? {_quoted(s.name)}" for s in scores)
    y = alt.Y(
        "key:N",
        title=None,
        sort=None,
        axis=alt.Axis(labelExpr=f"{names} : ''", grid=False, labelLimit=130, domain=False),
    )
    span = alt.Scale(domain=[min(row["low"] for row in rows), 1], nice=True)
    x = alt.X("accuracy:Q", title="accuracy", scale=span, axis=alt.Axis(format=".0%"))
    base = alt.Chart(alt.Data(values=rows)).encode(y=y)
    tip = [
        alt.Tooltip("class:N"),
        alt.Tooltip("right:N"),
        alt.Tooltip("accuracy:Q", format=".1%"),
    ]
    chart = alt.layer(
        base.mark_rule(strokeWidth=1.5, color=MUTED).encode(
            x=alt.X("low:Q", title="accuracy", scale=span), x2="high:Q"
        ),
        base.mark_point(filled=True, size=60, color=ACCENT, opacity=1).encode(x=x, tooltip=tip),
    )
    return finished(chart, height=max(60, 20 * len(rows)))


def depth_chart(layers: Sequence[str], lines: Mapping[str, Sequence[float]], *, title: str) -> Spec:
    """One measure against depth: ``after`` bold, ``before`` thin and grey, any other dashed.

    Values that are not finite leave a gap.
    """
    rows: list[Row] = [
        {"layer": f"{number}", "at": number, "block": layers[number], "line": line, "value": value}
        for line, values in lines.items()
        for number, value in enumerate(values)
        if math.isfinite(value)
    ]
    names = " : ".join(f"datum.value == {n} ? {_quoted(name)}" for n, name in enumerate(layers))
    x = alt.X(
        "at:Q",
        title=None,
        scale=alt.Scale(nice=False, domain=[0, max(1, len(layers) - 1)]),
        axis=alt.Axis(
            values=_ticks(range(len(layers))),
            labelExpr=f"{names} : ''",
            grid=False,
            labelAngle=-30,
            labelLimit=90,
        ),
    )
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=True, nice=True))
    tip = [
        alt.Tooltip("block:N", title="layer"),
        alt.Tooltip("line:N"),
        alt.Tooltip("value:Q", format=".3f"),
    ]
    drawn: list[alt.Chart] = []
    for line in lines:
        colour, wide = (ACCENT, 2.5) if line == "after" else (MUTED, 1.5)
        dash = [] if line in ("after", "before") else [4, 4]
        base = alt.Chart(alt.Data(values=[row for row in rows if row["line"] == line]))
        drawn.append(
            base.mark_line(strokeWidth=wide, color=colour, strokeDash=dash).encode(x=x, y=y)
        )
        drawn.append(
            base.mark_point(filled=True, size=30, opacity=1, color=colour).encode(
                x=x, y=y, tooltip=tip
            )
        )
    return finished(alt.layer(*drawn), height=180)


def _quoted(text: str) -> str:
    """A string literal of Vega's expression language."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", " ")
    return f"'{escaped}'"


def finished(chart: alt.Chart | alt.LayerChart | alt.FacetChart, *, height: int) -> Spec:
    """The specification, as wide as its place on the page, in the page's type and colours."""
    axis = {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": LINE,
        "domainColor": LINE,
        "tickColor": LINE,
        "tickCount": 5,
    }
    spec: Spec = chart.properties(
        width="container",
        height=height,
        background="transparent",
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        padding=4,
    ).to_dict()
    # The address of the schema is left out: a page that asks for nothing names no address.
    spec.pop("$schema")
    spec["config"] = {
        "font": "system-ui, -apple-system, 'Segoe UI', sans-serif",
        "axis": axis,
        "axisX": {"labelFlush": True},
        "view": {"stroke": None},
        "aria": False,
    }
    return spec
