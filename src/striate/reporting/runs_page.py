"""The page that sets runs side by side: results, curves over each other, settings that differ.

Comes in: a RunsCompared.  Goes out: one HTML document that asks for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from striate.records.run_list import Difference, Gap, ListedRun, RunsCompared
from striate.reporting.document import document, section
from striate.reporting.html import Child, Html, el, join
from striate.reporting.runs_charts import COLOURS, DASHES, Against, Measure, curves_chart
from striate.reporting.script import chart, script
from striate.reporting.tables import table
from striate.reporting.wording import count, counted, percent, short, span

PARTS = {
    "recipe": "The recipes",
    "network": "The networks",
    "data": "The data",
    "versions": "Versions and machine",
}
MARK = '<meta name="generator" content="striate runs">'
MOST = len(DASHES) * COLOURS
"""Runs that can be told apart on a chart."""


def render_runs(compared: RunsCompared) -> str:
    """One self-contained HTML document about at most ``MOST`` runs.

    It names no address, its content security policy forbids every request, and text that came
    from outside (names of runs, values of settings) is escaped.
    """
    code, allowed = script()
    listed = [
        ("results", "What came of them", _results(compared)),
        ("curves", "How they learned", _curves(compared)),
        ("layers", "How their layers fared", _layers(compared)),
        *(
            (part, title, _differences(compared, compared.differences.get(part, ()), title))
            for part, title in PARTS.items()
        ),
    ]
    body = (
        el("a.skip", "Skip to the results", attrs={"href": "#results"}),
        el("header", _head(compared)),
        el(
            "main",
            el(
                "noscript",
                el("p", "The charts need JavaScript; their numbers are in the table below."),
            ),
            *(section(*one) for one in listed),
        ),
        el("footer", el("p", f"Made by striate from {counted(len(compared.runs), 'run')}.")),
        code,
    )
    return document(
        title=_headline(compared),
        styles=("style.css", "sweep.css", "runs.css"),
        allowed=allowed,
        body=body,
        kind="runs",
        mark=MARK,
    )


def _best(compared: RunsCompared) -> ListedRun | None:
    tested = [run for run in compared.runs if run.accuracy is not None]
    return max(tested, key=lambda run: run.accuracy or 0, default=None)


def _headline(compared: RunsCompared) -> str:
    names = [run.name for run in compared.runs]
    if len(names) > 3:
        return f"{counted(len(names), 'run')} side by side"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _head(compared: RunsCompared) -> Html:
    best = _best(compared)
    finished = sum(run.state == "finished" for run in compared.runs)
    total = sum(run.seconds or 0.0 for run in compared.runs)
    differing = sum(len(found) for found in compared.differences.values())
    pairs = [
        ("runs", count(len(compared.runs))),
        ("finished", count(finished)),
        ("most accurate, test", percent(best.accuracy, 2) if best and best.accuracy else "–"),
        ("settings that differ", count(differing)),
        ("training time in all", span(total)),
    ]
    return join(
        [
            el("p.kicker", "striate · runs"),
            el("h1", _headline(compared)),
            el("p.lede", _lede(compared, best)),
            el("ul.notes", *(el("li", note) for note in compared.notes))
            if compared.notes
            else None,
            el(
                "dl.figures-row",
                *(el("div", el("dt", name), el("dd", value)) for name, value in pairs),
            ),
        ]
    )


def _lede(compared: RunsCompared, best: ListedRun | None) -> str:
    if best is None or best.accuracy is None:
        return "None of them has been tested yet."
    words = f"{best.name} is the most accurate on its test images: {percent(best.accuracy, 2)}."
    index = compared.runs.index(best)
    gap = compared.gaps[index]
    if gap is not None:
        words += f" {sentence(gap, compared.runs[0].name)}"
    return words


def sentence(gap: Gap, first: str) -> str:
    """What a Gap says, and whether it can be told from chance."""
    points = 100 * gap.accuracy
    told = (
        f"On the same {count(gap.images)} test images it is right on {count(gap.only_this)} that "
        f"{first} is not, and {first} on {count(gap.only_first)} that it is not: {points:+.2f} "
        f"± {100 * gap.error:.2f} points"
    )
    if abs(gap.accuracy) <= 2 * gap.error:
        return f"{told}, which chance could make."
    return f"{told}."


def _sign(number: int) -> Html:
    """The run's line as the charts draw it."""
    dash = " ".join(map(str, DASHES[number // COLOURS % len(DASHES)]))
    line = el(
        "line",
        attrs={
            "x1": 0, "y1": 5, "x2": 26, "y2": 5, "stroke": "currentColor", "stroke-width": 2.5,
            "stroke-dasharray": dash or None,
        },
    )  # fmt: skip
    return el(
        f"svg.sign.s{number % COLOURS + 1}",
        line,
        attrs={"viewBox": "0 0 26 10", "width": 26, "height": 10, "aria-hidden": "true"},
    )


def _results(compared: RunsCompared) -> Html:
    rows: list[list[Child]] = []
    for number, (run, gap) in enumerate(zip(compared.runs, compared.gaps, strict=True)):
        rows.append(
            [
                join([_sign(number), " ", run.name]),
                run.network or "",
                run.data or "",
                "" if run.params is None else short(run.params),
                "" if run.accuracy is None else percent(run.accuracy, 2),
                "" if gap is None else f"{100 * gap.accuracy:+.2f} ± {100 * gap.error:.2f}",
                "" if run.loss is None else f"{run.loss:.4f}",
                "" if run.ece is None else percent(run.ece, 2),
                "" if run.val_accuracy is None else percent(run.val_accuracy, 2),
                f"{run.epoch} of {run.epochs}",
                "" if run.seconds is None else span(run.seconds),
                "" if run.images_per_second is None else f"{run.images_per_second:,.0f}",
                run.setting or "",
                run.state,
            ]
        )
    heads = [
        "run", "network", "data", "parameters", "test accuracy", "against the first, points",
        "test loss", "ECE", "validation", "epochs", "time", "images / s", "setting", "state",
    ]  # fmt: skip
    best = _best(compared)
    told = (
        "Against the first: the difference in test accuracy on the same images, with its standard "
        "error; less than two of them apart, chance could make it. One run of each says nothing "
        "of what another seed would have given. Validation is of the weights that were kept."
    )
    return join(
        [
            table(
                heads,
                rows,
                label="Results of every run",
                numeric=range(3, 12),
                marked=None if best is None else compared.runs.index(best),
            ),
            el("p.small", told),
        ]
    )


def _curves(compared: RunsCompared) -> Html:
    wanted: list[tuple[Measure, Against, str]] = [
        ("loss", "epoch", "Cross-entropy, epoch by epoch."),
        ("accuracy", "epoch", "Share of images that are right, epoch by epoch."),
        ("loss", "seconds", "Cross-entropy against training time, validation included."),
        ("accuracy", "seconds", "Share of images that are right against training time."),
    ]
    figures: list[Html] = []
    for measure, against, told in wanted:
        spec = curves_chart(compared, measure, against)
        if spec is not None:
            figures.append(
                el("figure", chart(f"{measure}-{against}", spec, told), el("figcaption", told))
            )
    if not figures:
        return el("p", "No run has ended an epoch yet.")
    keys = el(
        "ul.keys",
        *(
            el("li", _sign(number), " ", run.name)
            for number, run in enumerate(compared.runs)
            if compared.curves[number]
        ),
    )
    return join(
        [
            el("p", "A thin line is training, a bold one validation; point at one to read it."),
            keys,
            el("div.figures.wide-figures", *figures),
            el("details", el("summary", "The numbers"), _numbers(compared)),
        ]
    )


def _numbers(compared: RunsCompared) -> Html:
    rows: list[list[Child]] = [
        [
            run.name,
            one.epoch,
            f"{one.train_loss:.4f}",
            percent(one.train_accuracy, 2),
            "" if one.val_loss is None else f"{one.val_loss:.4f}",
            "" if one.val_accuracy is None else percent(one.val_accuracy, 2),
            span(one.seconds),
        ]
        for run, curve in zip(compared.runs, compared.curves, strict=True)
        for one in curve
    ]
    heads = ["run", "epoch", "train loss", "train acc.", "val. loss", "val. acc.", "time"]
    return table(heads, rows, label="Epochs of every run", numeric=range(1, 7))


def _layers(compared: RunsCompared) -> Html:
    looked = [run for run in compared.runs if run.looks]
    if not looked:
        return el("p", "None of them has a record of its layers.")
    rows: list[list[Child]] = [
        [
            join([_sign(number), " ", run.name]),
            el("code", layer.layer),
            layer.what,
            count(layer.step),
            count(layer.epoch),
        ]
        for number, run in enumerate(compared.runs)
        for layer in run.sick
    ]
    least, most = min(run.looks for run in looked), max(run.looks for run in looked)
    looks = counted(most, "step") if least == most else f"{count(least)} to {counted(most, 'step')}"
    told = (
        f"Layers were looked at in {looks} of each training, over that step's batch. Here stands "
        "what was wrong in the last look and in every one since the step named, in three or more."
    )
    without = [run.name for run in compared.runs if not run.looks]
    if without:
        told += f" No record: {', '.join(without)}."
    if not rows:
        return join([el("p", "Nothing was lastingly wrong with a layer."), el("p.small", told)])
    heads = ["run", "layer", "what is wrong", "since step", "of epoch"]
    shown = table(heads, rows, label="Layers that ail, by run", numeric=(3, 4))
    return join([shown, el("p.small", told)])


def _differences(compared: RunsCompared, found: Sequence[Difference], title: str) -> Html:
    if not found:
        return el("p", "The same in all.")
    rows: list[list[Child]] = [
        [el("code", one.key), *(el("code", said(value)) for value in one.values)] for one in found
    ]
    heads = ["setting", *(run.name for run in compared.runs)]
    return join(
        [
            el(
                "p.small",
                "Only what is not the same in all; a dash is where a run has no such key.",
            ),
            el("div.settings", table(heads, rows, label=f"{title}: what differs")),
        ]
    )


def said(value: Any) -> str:
    """A setting as its file writes it; a dash for None.

    >>> said(None), said(True), said([0.5, 0.25]), said(0.05)
    ('–', 'true', '[0.5, 0.25]', '0.05')
    """
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
