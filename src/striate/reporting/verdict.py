"""What it comes to, in one sentence that states its uncertainty, and five figures.

Comes in: ReportInput.  Goes out: the head of the page.
"""

from __future__ import annotations

import numpy as np

from striate.reporting.html import Html, el, join
from striate.reporting.inputs import ReportInput
from striate.reporting.measures import commonest_share, wilson
from striate.reporting.wording import count, counted, percent, short, size, span

_ABSENT = (
    "Images of the data, and pictures made from a single one, are not embedded in this page: their "
    "frames are empty. striate see with --images embed puts them in."
)


def headline(given: ReportInput) -> str:
    """The title: what share of how many images."""
    evaluation = given.evaluation
    share = percent(evaluation.accuracy)
    return (
        f"{share} of {counted(len(evaluation), f'{evaluation.split} image')} classified correctly"
    )


def verdict(given: ReportInput) -> Html:
    """Accuracy with its interval and its baseline, calibration, cost, data and time."""
    evaluation, run, data = given.evaluation, given.run, given.data
    right = int(np.trace(evaluation.confusion))
    low, high = wilson(right, len(evaluation))
    channels, height, width = given.trace.image
    trained_on = count(next(iter(data.counts.values())))
    return el(
        "p.lede",
        el("strong", run.arch),
        f" classifies {count(right)} of {count(len(evaluation))} {evaluation.split} images "
        f"correctly: {percent(evaluation.accuracy)}, with a 95 % interval from {percent(low)} to "
        f"{percent(high)}. Always naming the commonest class would give "
        f"{percent(commonest_share(evaluation))}. Its confidence is off by "
        f"{evaluation.ece * 100:.1f} points on average. It has {count(given.trace.totals.params)} "
        f"parameters and spends {short(given.trace.totals.macs)} multiply-accumulates on an image "
        f"of {size((height, width, channels))}. It was trained on {trained_on} images of ",
        el("em", data.name),
        f" in {span(run.seconds)}.",
    )


def figures(given: ReportInput) -> Html:
    """The same as figures, for those who compare."""
    evaluation = given.evaluation
    pairs = [
        ("accuracy", percent(evaluation.accuracy)),
        ("calibration error", percent(evaluation.ece)),
        ("parameters", short(given.trace.totals.params)),
        ("MACs", short(given.trace.totals.macs)),
        ("training", span(given.run.seconds)),
    ]
    return el(
        "dl.figures-row", *(el("div", el("dt", name), el("dd", value)) for name, value in pairs)
    )


def head(given: ReportInput) -> Html:
    """Kicker, title, lede and figures."""
    return join(
        [
            el("p.kicker", f"striate · {given.run.name} · {given.run.date}"),
            el("h1", headline(given)),
            verdict(given),
            figures(given),
            None if given.images else el("p.small", _ABSENT),
        ]
    )
