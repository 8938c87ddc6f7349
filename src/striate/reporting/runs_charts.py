"""Curves of several runs laid over each other: loss and accuracy, by epoch and by time.

Comes in: the runs and their EpochRecords.  Goes out: Vega-Lite specifications in the page's own
colours: a colour for each run, a thin line for training and a bold one for validation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

import altair as alt

from striate.records import EpochRecord
from striate.records.run_list import RunsCompared
from striate.reporting.charts import Row, Spec, finished

COLOURS = 8
DASHES: tuple[list[int], ...] = ([], [7, 3], [2, 3])
"""After eight runs the colours begin again, with another dash."""

Measure = Literal["loss", "accuracy"]
Against = Literal["epoch", "seconds"]

SPREAD = 50.0
"""Losses are drawn on a log scale where the greatest has this many times the least's."""


def curves_chart(compared: RunsCompared, measure: Measure, against: Against) -> Spec | None:
    """``measure`` of every run against epochs or time; None where no run has ended an epoch."""
    rows = [
        row
        for number, (run, curve) in enumerate(zip(compared.runs, compared.curves, strict=True))
        for row in _rows(number, run.name, curve, measure)
    ]
    if not rows:
        return None
    unit, each = _time(max(row["seconds"] for row in rows))
    for row in rows:
        row["seconds"] /= each
    values = [row["value"] for row in rows]
    log = measure == "loss" and min(values) > 0 and max(values) > SPREAD * min(values)
    drawn: list[int] = sorted({row["run"] for row in rows})
    dashes = [DASHES[n // COLOURS % len(DASHES)] for n in drawn]
    colour = alt.Color(
        "run:N",
        scale=alt.Scale(domain=drawn, range=[f"var(--s{n % COLOURS + 1})" for n in drawn]),
        legend=None,
    )
    dash = alt.StrokeDash("run:N", scale=alt.Scale(domain=drawn, range=dashes), legend=None)
    x = alt.X(
        f"{against}:Q",
        title="epoch" if against == "epoch" else f"training time ({unit})",
        axis=alt.Axis(grid=False, tickMinStep=1 if against == "epoch" else alt.Undefined),
        scale=alt.Scale(nice=False, zero=against == "seconds"),
    )
    y = alt.Y(
        "value:Q",
        title="accuracy" if measure == "accuracy" else f"loss (nats{', log scale' if log else ''})",
        scale=alt.Scale(type="log") if log else alt.Scale(zero=False, nice=True),
        axis=alt.Axis(format="%") if measure == "accuracy" else _loss_axis(values, log=log),
    )
    near = alt.selection_point(
        name="near", nearest=True, on="pointerover", fields=["id"], empty=False
    )
    layers: list[alt.Chart] = []
    for split, wide, opacity in (("training", 1.25, 0.6), ("validation", 2.5, 1.0)):
        mine = [row for row in rows if row["split"] == split]
        if mine:
            layers.append(
                alt.Chart(alt.Data(values=mine))
                .mark_line(strokeWidth=wide, opacity=opacity)
                .encode(x=x, y=y, color=colour, strokeDash=dash)
            )
    lone = [row for row in rows if row["alone"]]  # one epoch makes no line
    if lone:
        layers.append(
            alt.Chart(alt.Data(values=lone))
            .mark_point(filled=True, opacity=1, size=40)
            .encode(x=x, y=y, color=colour)
        )
    points = (
        alt.Chart(alt.Data(values=rows))
        .mark_point(filled=True, opacity=1)
        .encode(
            x=x,
            y=y,
            color=colour,
            size=alt.condition(near, alt.value(60), alt.value(0)),
            tooltip=[
                alt.Tooltip("name:N", title="run"),
                alt.Tooltip("split:N"),
                alt.Tooltip("epoch:Q", format="d"),
                alt.Tooltip("told:N", title=measure),
            ],
        )
        .add_params(near)
    )
    return finished(alt.layer(*layers, points), height=260)


def _loss_axis(values: Sequence[float], *, log: bool) -> alt.Axis:
    """A line for each power of ten on a log scale, else what Vega chooses."""
    if not log:
        return alt.Axis()
    first, last = (math.floor(math.log10(value)) for value in (min(values), max(values)))
    return alt.Axis(values=[10.0**power for power in range(first, last + 2)], format="~g")


def _rows(number: int, name: str, curve: Sequence[EpochRecord], measure: Measure) -> list[Row]:
    seconds = accumulate(one.seconds for one in curve)
    rows: list[Row] = []
    for one, spent in zip(curve, seconds, strict=True):
        loss = measure == "loss"
        values = {
            "training": one.train_loss if loss else one.train_accuracy,
            "validation": one.val_loss if loss else one.val_accuracy,
        }
        for split, value in values.items():
            if value is None:
                continue
            rows.append(
                {
                    "id": f"{number} {split} {one.epoch}",
                    "run": number,
                    "name": name,
                    "split": split,
                    "epoch": one.epoch,
                    "seconds": spent,
                    "value": value,
                    "told": f"{value:.4f}" if loss else f"{value:.2%}",
                    "alone": len(curve) == 1,
                }
            )
    return rows


def _time(longest: float) -> tuple[str, float]:
    """The unit in which times up to ``longest`` seconds are read, and its seconds."""
    if longest < 300:
        return "s", 1.0
    return ("min", 60.0) if longest < 4 * 3600 else ("h", 3600.0)
