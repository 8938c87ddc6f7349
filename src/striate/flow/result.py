"""What came of a run: its record, from the metrics it wrote and the measurements at its end."""

from __future__ import annotations

from collections.abc import Sequence

from striate.records import EpochRecord, Evaluation, Run, StepRecord
from striate.runs import RunFolder
from striate.training import Recipe


def run_record(
    folder: RunFolder,
    recipe: Recipe,
    *,
    name: str,
    evaluation: Evaluation,
    records: Sequence[StepRecord | EpochRecord],
    report: str | None,
) -> Run:
    """The finished run in ``folder``.  ``name``: the network's; ``records``: all its metrics."""
    epochs = [record for record in records if isinstance(record, EpochRecord)]
    steps = [record for record in records if isinstance(record, StepRecord)]
    return Run(
        run=str(folder.path),
        arch=name,
        accuracy=evaluation.accuracy,
        loss=evaluation.loss,
        ece=evaluation.ece,
        epochs=epochs[-1].epoch if epochs else recipe.epochs,  # fewer, where it settled
        seconds=sum(record.seconds for record in epochs),
        images_per_second=sum(record.images for record in steps)
        / sum(record.seconds for record in steps),
        setting=recipe.setting,
        report=report,
    )
