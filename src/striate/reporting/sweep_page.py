"""The page of a sweep: accuracy against each cost, every design and its trainings.

Comes in: a SweepResult.  Goes out: one HTML document that asks for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from striate.records.sweep import COSTS, LATENCY, Judge, Mean, SweepPoint, SweepResult, front
from striate.reporting.document import document, section
from striate.reporting.html import Child, Html, el, join
from striate.reporting.script import script
from striate.reporting.sweep_charts import SIGNS, anchor, front_chart, series_of
from striate.reporting.tables import definitions, finding_list, table
from striate.reporting.wording import count, counted, percent, short, size, span

_JUDGES: tuple[Judge, ...] = ("validation", "test")


def render_sweep(result: SweepResult) -> str:
    """One self-contained HTML document about one sweep, finished or not.

    It names no address, its content security policy forbids every request, and text that came
    from outside (names of designs, messages) is escaped.
    """
    code, allowed = script("sweep-page.js")
    listed = [
        ("front", "What accuracy costs", _front(result)),
        ("table", "Every design", _designs_table(result)),
        ("refused", "Not trained", _refused(result)),
        ("designs", "The designs", _designs(result)),
        ("made", "How this was made", _made(result)),
    ]
    body = (
        el("a.skip", "Skip to the designs", attrs={"href": "#table"}),
        el("header", _head(result)),
        el(
            "main",
            el(
                "noscript",
                el("p", "The chart needs JavaScript; its numbers are in the table below it."),
            ),
            *(section(*one) for one in listed if one[2] is not None),
        ),
        el("footer", el("p", f"Made by striate from the sweep {result.name}.")),
        code,
    )
    return document(
        title=f"{result.name}: {_headline(result)}",
        styles=("style.css", "sweep.css"),
        allowed=allowed,
        body=body,
        kind="sweep",
    )


def _judged(result: SweepResult) -> list[tuple[SweepPoint, Mean]]:
    """Designs with an accuracy, the best first."""
    found = [(point, judged) for point in result.points if (judged := point.judged(result.judge))]
    return sorted(found, key=lambda pair: -pair[1].mean)


def _headline(result: SweepResult) -> str:
    judged = _judged(result)
    trained = sum(1 for point in result.points if point.runs)
    if not judged:
        return f"{counted(trained, 'design')}, none of them trained to its end yet"
    return (
        f"{counted(trained, 'design')} trained on {result.data.name}: {percent(judged[0][1].mean)} "
        "at best"
    )


def _head(result: SweepResult) -> Html:
    judged = _judged(result)
    ended = sum(run.state == "finished" for run in result.runs)
    pairs = [
        ("designs", count(sum(1 for point in result.points if point.runs))),
        ("trainings", f"{count(ended)} of {count(len(result.runs))}"),
        (f"best, {result.judge}", _told(judged[0][1]) if judged else "–"),
        ("on the front of MACs", count(len(result.front("macs")))),
    ]
    return join(
        [
            el("p.kicker", f"striate · sweep · {result.name} · {result.date}"),
            el("h1", _headline(result)),
            el("p.lede", *_lede(result, judged)),
            el(
                "dl.figures-row",
                *(el("div", el("dt", name), el("dd", value)) for name, value in pairs),
            ),
        ]
    )


def _lede(result: SweepResult, judged: Sequence[tuple[SweepPoint, Mean]]) -> list[Child]:
    """The best design, and the cheapest that cannot be told from it."""
    if not judged:
        return ["No training has come to its end yet."]
    best, mean = judged[0]
    images = result.data.images[result.judge if result.judge == "test" else "val"]
    words: list[Child] = [
        el("strong", best.name),
        (
            f" is the most accurate: {_told(mean)} of {count(images)} {result.judge} images, at "
            f"{short(best.macs)} multiply-accumulates and {short(best.params)} parameters. "
        ),
    ]
    near = [
        point
        for point, other in judged
        if mean.error is not None and mean.mean - other.mean <= mean.error
    ]
    cheapest = min(near, key=lambda point: point.macs, default=best)
    if cheapest is not best and cheapest.macs < best.macs:
        words += [
            el("strong", cheapest.name),
            (
                " is within one standard error of it with "
                f"{percent(cheapest.macs / best.macs, 0)} of its multiply-accumulates. "
            ),
        ]
    elif mean.error is None:
        words.append("With one seed nothing can be said of chance; more seeds give error bars. ")
    else:
        words.append("No cheaper design is within one standard error of it. ")
    return words


def _told(mean: Mean | None) -> str:
    if mean is None:
        return "–"
    if mean.error is None:
        return percent(mean.mean, 2)
    return f"{100 * mean.mean:.2f}\u00a0±\u00a0{100 * mean.error:.2f}\u00a0%"


def _front(result: SweepResult) -> Html | None:
    """The chart with its switches, the key, and the front in words."""
    specs: list[Html] = []
    words: list[Html] = []
    costs: list[str] = []
    judges: list[Judge] = []
    for cost in COSTS:
        for judge in _JUDGES:
            spec = front_chart(result, cost, judge)
            if spec is None:
                continue
            costs.append(cost)
            judges.append(judge)
            text = json.dumps(spec, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
            specs.append(
                Html(f'<script type="application/json" data-spec="{cost}-{judge}">{text}</script>')
            )
            words.append(_front_words(result, cost, judge))
    if not specs:
        return None
    costs = list(dict.fromkeys(costs))
    judges = sorted(set(judges), key=lambda judge: judge != result.judge)
    spread = (
        "A bar is one standard error of the mean over the seeds to each side. "
        if len(result.seeds) > 1
        else "There was one seed, so there are no error bars. "
    )
    lines = series_of(result)
    keys = el(
        "ul.keys",
        *(
            el("li", el(f"span.sign.s{n % 8 + 1}", SIGNS[n % 8]), line)
            for n, line in enumerate(lines)
        ),
    )
    return join(
        [
            el(
                "div.switches",
                _switch("cost", "against", [(key, COSTS[key]) for key in costs]),
                _switch("judge", "of", [(key, f"{key} images") for key in judges]),
            ),
            el(
                "figure.wide",
                el(
                    "div.chart",
                    attrs={
                        "id": "front-chart",
                        "role": "img",
                        "aria-label": "Accuracy of every design against the chosen cost",
                    },
                ),
                keys if len(lines) > 1 else None,
                el(
                    "figcaption",
                    "The dashed line is the front: no other design is at most as dear and more "
                    f"accurate than one on it. {spread}A click on a point opens its design.",
                ),
            ),
            *words,
            *specs,
        ]
    )


def _switch(name: str, legend: str, values: Sequence[tuple[str, str]]) -> Html:
    return el(
        "fieldset",
        el("legend", legend),
        *(
            el(
                "label",
                el(
                    "input",
                    attrs={"type": "radio", "name": name, "value": value, "checked": n == 0},
                ),
                el("span", said),
            )
            for n, (value, said) in enumerate(values)
        ),
    )


def _front_words(result: SweepResult, cost: str, judge: Judge) -> Html:
    best = front(result.points, cost, judge)
    links: list[Child] = []
    for name in best:
        links += [", "] if links else []
        links.append(el("a", name, attrs={"href": f"#{anchor(result, name)}"}))
    first = (cost, judge) == ("macs", result.judge)
    return el(
        "p",
        "On this front: ",
        *links,
        ".",
        attrs={"data-front": f"{cost}-{judge}", "hidden": not first},
    )


def _designs_table(result: SweepResult) -> Html | None:
    trained = [point for point in result.points if point.runs]
    if not trained:
        return None
    best = result.front("macs")
    sizes = len({point.image for point in trained}) > 1
    rows: list[list[Child]] = []
    for point in sorted(trained, key=lambda one: one.macs):
        ended = sum(run.state == "finished" for run in point.runs)
        stopped = any(run.state == "stopped" for run in point.runs)
        link = el("a", point.name, attrs={"href": f"#{anchor(result, point.name)}"})
        mark = el("span.best", " on the front") if point.name in best else None
        rows.append(
            [
                join([link, mark]),
                *([size(point.image)] if sizes else []),
                count(point.params),
                short(point.macs),
                short(point.activations),
                "" if point.latency is None else f"{point.latency * 1e3:.3g}\u00a0ms",
                *(
                    "stopped" if stopped else _told(point.judged(judge))
                    for judge in _JUDGES
                    if judge == "test" or result.judge == "validation"
                ),
                f"{ended} of {len(point.runs)}",
            ]
        )
    heads = [
        "design", *(["image"] if sizes else []), "parameters", "MACs", "activations", "latency",
        *(["validation"] if result.judge == "validation" else []), "test", "seeds",
    ]  # fmt: skip
    return table(heads, rows, label="Every design", numeric=range(1 + sizes, len(heads)))


def _refused(result: SweepResult) -> Html | None:
    """What the linter or the arithmetic kept from training, what failed, what was stopped."""
    items: list[Html] = []
    for point in result.points:
        if point.refused is not None:
            items.append(el("li", el("strong", point.name), f": {point.refused}"))
        items += [
            el("li", el("strong", f"{point.name}, seed {run.seed}"), f": {run.why or ''}")
            for run in point.runs
            if run.state in ("failed", "stopped")
        ]
    return el("ul.notes", *items) if items else None


def _designs(result: SweepResult) -> Html:
    return join([_design(result, point) for point in result.points if point.toml])


def _design(result: SweepResult, point: SweepPoint) -> Html:
    """One design in its fold: its file, what the linter says, its trainings."""
    judged = point.judged(result.judge)
    side = (point.refused and "not trained") or _told(judged)
    axes = ", ".join(f"{key} {value}" for key, value in point.axes.items() if value is not None)
    return el(
        "details.design",
        el("summary", el("span", point.name), el("span.small", side)),
        el("p.small", axes) if axes else None,
        el("p.small", f"The same network as {', '.join(point.also)}.") if point.also else None,
        el("h3", "Trainings") if point.runs else None,
        _runs(point) if point.runs else None,
        el("h3", "What the linter says"),
        finding_list(point.findings),
        el("h3", "The design"),
        el("pre", point.toml.strip(), attrs={"tabindex": 0}),
        attrs={"id": anchor(result, point.name)},
    )


def _runs(point: SweepPoint) -> Html:
    rows: list[list[Child]] = [
        [
            run.seed,
            run.state,
            "" if run.val_accuracy is None else percent(run.val_accuracy, 2),
            "" if run.accuracy is None else percent(run.accuracy, 2),
            "" if run.loss is None else f"{run.loss:.4f}",
            f"{len(run.curve)} of {run.epochs}" if run.curve else "",
            "" if run.seconds is None else span(run.seconds),
            run.attempts or "",
            run.run or "",
        ]
        for run in point.runs
    ]
    heads = ["seed", "state", "validation", "test", "loss", "epochs", "time", "taken up", "run"]
    return table(heads, rows, label=f"Trainings of {point.name}", numeric=(0, 2, 3, 4, 5, 6, 7))


def _made(result: SweepResult) -> Html:
    data = result.data
    images = ", ".join(f"{count(number)} {split}" for split, number in data.images.items())
    axes = "; ".join(
        f"{axis.base + ': ' if axis.base else ''}{axis.name} = {', '.join(axis.values)}"
        for axis in result.axes
    )
    budget = ""
    if result.budget is not None:
        key, limits = result.budget
        amounts = ", ".join(short(limit) for limit in limits)
        budget = f"grown to {amounts} {COSTS[key]} by {', '.join(result.rules)}"
    images_timed = counted(result.latency_batch, "image")
    judged_by = (
        "the validation images, so that the test images stay unseen by the choice"
        if result.judge == "validation"
        else "the test images, since there are no validation images"
    )
    pairs: list[tuple[str, Child]] = [
        ("command", el("code", result.command)),
        ("data", f"{data.name}: {images} images of {counted(data.classes, 'class', 'classes')}"),
        ("fingerprint", el("code", data.fingerprint)),
        ("bases", ", ".join(result.bases)),
        *([("axes", axes)] if axes else []),
        *([("budgets", budget)] if budget else []),
        ("seeds", ", ".join(map(str, result.seeds))),
        ("splits", "the same for all seeds: errors are of weights, order and augmentation"),
        ("judged by", judged_by),
        ("stopping", result.stopping or "off: every training was run to its end"),
        *([("setting", result.setting)] if result.setting else []),
        *(
            [("latency", f"of {images_timed} in fp32, {LATENCY}, {result.machine}")]
            if result.machine
            else []
        ),
        ("versions", ", ".join(f"{key} {value}" for key, value in result.versions.items())),
    ]
    return definitions(pairs)
