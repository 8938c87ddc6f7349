"""How it was trained: the setting that was measured, and the curves.

Comes in: ProbeResult, EpochRecord and StepRecord.  Goes out: sections of the page.
"""

from __future__ import annotations

from collections.abc import Sequence

from striate.records import EpochRecord, ProbeResult, StepRecord
from striate.reporting.charts import Spec, accuracy_chart, loss_chart, rate_chart
from striate.reporting.html import Html, el, join
from striate.reporting.script import chart
from striate.reporting.tables import probe_table, table
from striate.reporting.wording import counted, percent, span


def setting_section(probe: Sequence[ProbeResult], setting: str) -> Html:
    """Why this numeric setting."""
    if not probe:
        return el("p", "It was trained in ", el("code", setting), ", which was asked for.")
    chosen = next((result for result in probe if result.chosen), None)
    slowest = min(result.images_per_second for result in probe)
    words: list[str | Html] = ["A few steps of this network were timed in each setting. "]
    if chosen is not None and slowest > 0:
        times = chosen.images_per_second / slowest
        words += [
            el("code", chosen.name),
            f" was taken: {chosen.images_per_second:,.0f} images per second"
            + (f", {times:.1f} times the slowest." if times >= 1.05 else "."),
        ]
    return join([el("p", *words), probe_table(probe)])


def curves_section(epochs: Sequence[EpochRecord], steps: Sequence[StepRecord]) -> Html:
    """Loss, accuracy and learning rate, and the numbers they are drawn from."""
    if not epochs:
        return el("p", "There is no record of the epochs.")
    best = next((epoch for epoch in reversed(epochs) if epoch.best), None)
    words = counted(len(epochs), "epoch") + f" in {span(sum(e.seconds for e in epochs))}"
    if best is not None and best.val_accuracy is not None:
        words += (
            f". The weights kept are those of epoch {best.epoch}, chosen by the validation split, "
            f"on which it scored {percent(best.val_accuracy)}"
        )
    words += "."
    figures: list[tuple[str, Spec, str]] = [
        ("loss", loss_chart(epochs), "Mean cross-entropy of each epoch"),
        ("accuracy", accuracy_chart(epochs), "Share of images that are right, each epoch"),
    ]
    if steps:
        figures.append(("rate", rate_chart(steps), "Learning rate, step by step"))
    key = [": ", el("span.line-key.quiet", "training")]
    if any(epoch.val_loss is not None for epoch in epochs):
        key += [", ", el("span.line-key", "validation")]
    numbers = table(
        ["epoch", "train loss", "train acc.", "val. loss", "val. acc.", "images / s"],
        [
            [
                e.epoch,
                f"{e.train_loss:.4f}",
                percent(e.train_accuracy),
                "" if e.val_loss is None else f"{e.val_loss:.4f}",
                "" if e.val_accuracy is None else percent(e.val_accuracy),
                f"{e.images_per_second:,.0f}",
            ]
            for e in epochs
        ],
        label="Epochs",
        numeric=range(6),
        marked=None if best is None else list(epochs).index(best),
    )
    return join(
        [
            el("p", words),
            el(
                "div.figures",
                *(
                    el(
                        "figure",
                        chart(f"chart-{name}", spec, told),
                        el("figcaption", told, *([] if name == "rate" else key), "."),
                    )
                    for name, spec, told in figures
                ),
            ),
            el("details", el("summary", "The numbers"), numbers),
        ]
    )
