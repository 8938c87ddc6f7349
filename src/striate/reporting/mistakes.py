"""Where it is wrong, and whether its confidence may be believed.

Comes in: an Evaluation.  Goes out: sections of the page.
"""

from __future__ import annotations

import numpy as np

from striate.records import Calibration, Evaluation
from striate.reporting.charts import class_chart, reliability_chart
from striate.reporting.html import Html, el, join
from striate.reporting.measures import (
    ClassScore,
    class_order,
    class_scores,
    confused_pairs,
    reliability,
    wilson,
)
from striate.reporting.script import chart
from striate.reporting.tables import frame, table
from striate.reporting.wording import count, counted, percent

NATURAL_ORDER = 12  # up to here classes keep their own order
MATRIX_MOST = 40  # beyond this no matrix can be read, and the pairs are listed
LEVELS = 6  # steps of shading


def confusion_section(evaluation: Evaluation) -> Html:
    """The confusion matrix, or the most confused pairs of many classes; and those in words."""
    pairs = confused_pairs(evaluation, 15)
    wrong = len(evaluation) - int(np.trace(evaluation.confusion))
    if not pairs:
        return el("p", "There are no confusions: every image is classified correctly.")
    first = pairs[0]
    words = el(
        "p",
        f"{counted(wrong, 'image')} of {count(len(evaluation))} "
        f"{'is' if wrong == 1 else 'are'} taken for another class, most often ",
        el("em", first.true),
        " for ",
        el("em", first.said),
        f" ({counted(first.count, 'time')}, {percent(first.share)} of that class).",
    )
    if len(evaluation.classes) <= MATRIX_MOST:
        return join([words, _matrix(evaluation)])
    listed = table(
        ["true class", "taken for", "images", "share of the class"],
        [[pair.true, pair.said, count(pair.count), percent(pair.share)] for pair in pairs],
        label="The most confused pairs",
        numeric=(2, 3),
    )
    note = f"With {counted(len(evaluation.classes), 'class', 'classes')} a matrix cannot be read."
    return join(
        [words, el("p.small", f"{note} These are the {len(pairs)} commonest pairs."), listed]
    )


def _matrix(evaluation: Evaluation) -> Html:
    """Rows are the true class, columns what was said; shading is the share of the row."""
    classes, confusion = evaluation.classes, evaluation.confusion
    reordered = len(classes) > NATURAL_ORDER
    order = class_order(confusion) if reordered else list(range(len(classes)))
    totals = confusion.sum(axis=1)
    rows: list[Html] = []
    for true in order:
        cells: list[Html] = []
        for said in order:
            number = int(confusion[true, said])
            share = number / totals[true] if number else 0.0
            kind = ".right" if true == said else _shade(share)
            title = f"{classes[true]} taken for {classes[said]}: {number:,} ({percent(share)})"
            cells.append(el(f"td{kind}", count(number) if number else "", attrs={"title": title}))
        rows.append(el("tr", el("th", classes[true], attrs={"scope": "row"}), *cells))
    head = el(
        "tr",
        el("td"),
        *(el("th", el("span", classes[said]), attrs={"scope": "col"}) for said in order),
    )
    size = ".dense" if len(classes) > 20 else ""
    # Names of a letter or two stand upright, longer ones are turned.
    size += ".brief" if max(map(len, classes)) <= 2 else ""
    matrix = el(f"table.confusion{size}", el("thead", head), el("tbody", *rows))
    told = (
        "Rows are the true class, columns what the network said; shading is the share of the row."
    )
    if reordered:
        told += " Classes that are confused with each other stand together."
    return el("figure", frame(matrix, "Confusion matrix"), el("figcaption", told))


def _shade(share: float) -> str:
    """The class of one of ``LEVELS`` shades; the square root keeps small shares visible."""
    return f".q{max(1, min(LEVELS, int(np.ceil(np.sqrt(share) * LEVELS))))}" if share else ""


def classes_section(evaluation: Evaluation) -> Html:
    """Accuracy of each class, worst first; of many classes the worst and the best."""
    scores = [score for score in class_scores(evaluation) if score.total]
    empty = len(evaluation.classes) - len(scores)
    ordered = sorted(scores, key=lambda score: (score.accuracy, score.index))
    shown = ordered if len(ordered) <= MATRIX_MOST else [*ordered[:25], *ordered[-5:]]
    worst, best = ordered[0], ordered[-1]
    words = f"From {_told(worst)} to {_told(best)}."
    if len(shown) < len(ordered):
        words += f" Of {len(ordered)} classes the 25 worst and the 5 best are drawn."
    if empty:
        words += f" {counted(empty, 'class has', 'classes have')} no image in this split."
    numbers = table(
        ["class", "right", "images", "accuracy", "95 % interval", "said"],
        [
            [
                score.name,
                count(score.right),
                count(score.total),
                percent(score.accuracy),
                " to ".join(percent(end) for end in wilson(score.right, score.total)),
                count(score.said),
            ]
            for score in ordered
        ],
        label="Accuracy of each class",
        numeric=(1, 2, 3, 4, 5),
    )
    return join(
        [
            el("p", words),
            el(
                "figure.middle",
                chart("class-accuracy", class_chart(shown), words),
                el("figcaption", "Share of each class that is right, with its 95 % interval."),
            ),
            el("details", el("summary", "The numbers"), numbers),
        ]
    )


def _told(score: ClassScore) -> str:
    return f"{percent(score.accuracy)} ({score.name})"


def calibration_section(
    evaluation: Evaluation, calibration: Calibration | None, tempered: Evaluation | None
) -> Html:
    """The reliability diagram, its error in words and its numbers; so again at the temperature.

    ``tempered``: the same evaluation at the temperature that ``calibration`` found.
    """
    before = _reliability(evaluation, "reliability")
    if calibration is None or tempered is None:
        return before
    better = tempered.ece < evaluation.ece
    words = (
        f"At temperature {calibration.temperature:.3f}, the one at which "
        f"{counted(calibration.images, 'validation image')} are said best (Guo et al. 2017), the "
        f"error on these {evaluation.split} images is {percent(tempered.ece, 2)} instead of "
        f"{percent(evaluation.ece, 2)}, and the loss {tempered.loss:.4f} instead of "
        f"{evaluation.loss:.4f}. "
        + (
            "striate predict says its confidence at it."
            if better
            else "Here it does not help, for all that; striate predict uses it, as validation "
            "chose it."
        )
    )
    return join(
        [
            before,
            el("h3", "With its temperature"),
            el("p", words),
            _reliability(tempered, "reliability-after", told=False),
        ]
    )


def _reliability(evaluation: Evaluation, name: str, *, told: bool = True) -> Html:
    bins = reliability(evaluation)
    sure = float(evaluation.probabilities.max(axis=1).mean(dtype=np.float64))
    gap = sure - evaluation.accuracy
    lean = "surer than it should be" if gap > 0 else "less sure than it could be"
    words = (
        f"On average it is {percent(sure)} sure and {percent(evaluation.accuracy)} right"
        + (f": {lean} by {abs(gap) * 100:.1f} points" if abs(gap) >= 0.0005 else "")
        + f". The expected calibration error over 15 bins is {percent(evaluation.ece, 2)}."
    )
    numbers = table(
        ["confidence", "images", "mean confidence", "right"],
        [
            [
                f"{part.low:.0%} to {part.high:.0%}",
                count(part.count),
                percent(part.confidence),
                percent(part.accuracy),
            ]
            for part in bins
        ],
        label="Calibration by bin",
        numeric=(1, 2, 3),
    )
    return join(
        [
            el("p", words) if told else None,
            el(
                "figure.half",
                chart(name, reliability_chart(bins), words),
                el(
                    "figcaption",
                    "Each point is one bin of confidence, its area the number of images, its line "
                    "the 95 % interval. On the dashed line confidence and accuracy agree.",
                ),
            ),
            el("details", el("summary", "The numbers"), numbers),
        ]
    )
