"""What ``striate fit`` does from step 1 on: train, measure, look inside, write the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from striate.arch import Arch
from striate.data import Dataset
from striate.deploying import measure_confidence, save_confidence
from striate.errors import OutputError
from striate.flow.batch import memory_told
from striate.flow.events import Evaluated, Event, Finished, Training
from striate.flow.fit_shared import tell_followers
from striate.flow.looking import look_in_ways, subject_of_run
from striate.flow.network import built, users_errors
from striate.flow.report import ReportParts, write_report
from striate.flow.result import run_record
from striate.flow.targets import Target
from striate.flow.ways import WAYS
from striate.flow.weights_fit import weights_told
from striate.records import EpochRecord, Evaluation, Finding, ProbeResult, Run, StepRecord, Trace
from striate.runs import Preprocessing, RunFolder, known_setting, read_metrics
from striate.runs.kept_evidence import save_evidence
from striate.training import Processes, Recipe, all_ready, lost_processes, train


@dataclass(frozen=True, kw_only=True)
class Job:
    """Everything that is decided before step 1."""

    folder: RunFolder
    dataset: Dataset
    network: Arch | Target
    module: nn.Module
    trace: Trace
    findings: tuple[Finding, ...]
    recipe: Recipe
    notes: dict[str, Any]
    together: Processes
    checkpoint_every: float | None


def trained(job: Job, seconds: float | None, *, resume: bool) -> Iterator[Event]:
    """Train, measure on the test split, look inside, write the report; of several processes the
    first alone does the last two.
    """
    recipe, folder = job.recipe, job.folder
    together = job.together
    tell_followers(together, folder, resume=resume)
    yield Training(recipe=recipe, folder=folder.path, seconds=seconds, resumed=resume)
    all_ready(together)
    try:
        with (
            users_errors(job.network.name),
            lost_processes(together),
            memory_told(recipe, job.network, job.dataset.image, run=folder.path),
        ):
            yield from train(
                job.module,
                job.dataset,
                recipe,
                folder,
                resume=resume,
                together=together,
                checkpoint_every=job.checkpoint_every,
            )
            evaluation = together.evaluate(
                job.module,
                job.dataset.test,
                Preprocessing.of(job.dataset),
                setting=known_setting(recipe.setting),
                batch_size=2 * recipe.batch_size,
                device=recipe.device,
                tta=recipe.tta,
            )
        if not together.writes:
            return
        with users_errors(job.network.name):
            save_confidence(
                folder.paths.confidence,
                measure_confidence(
                    job.module,
                    job.dataset,
                    device=recipe.device,
                    batch_size=2 * recipe.batch_size,
                    tta=recipe.tta,
                ),
            )
        yield Evaluated(evaluation=evaluation)
        yield Finished(run=_finished(job, evaluation))
    except OutputError as error:
        said = str(error).replace(", or choose another --out", "")
        if "--resume" not in said:
            said += f"; then --resume {folder.path} goes on"
        raise OutputError(said) from error


def _finished(job: Job, evaluation: Evaluation) -> Run:
    """Look inside, write the report, and put the result into the run's folder."""
    recipe, paths = job.recipe, job.folder.paths
    records = list(read_metrics(paths.metrics))
    epochs = [record for record in records if isinstance(record, EpochRecord)]
    steps = [record for record in records if isinstance(record, StepRecord)]
    run = run_record(
        job.folder,
        recipe,
        name=job.network.name,
        evaluation=evaluation,
        records=records,
        report=str(paths.report),
    )
    parts = ReportParts(
        paths=paths,
        run=run,
        dataset=job.dataset,
        module=job.module,
        trace=job.trace,
        findings=job.findings,
        evaluation=evaluation,
        epochs=epochs,
        steps=steps,
        recipe=recipe,
        probe=[ProbeResult(**result) for result in job.notes["probe"]],
        command=job.notes["command"] or f"striate fit {job.dataset.name}",
        why=job.notes["why"],
        make=lambda seed: built(job.network, seed, job.dataset.image),
        weights=weights_told(job.notes),
    )
    kept = job.folder.make(paths.evidence)
    quick = [way for way in WAYS if way.in_fit]
    for way, pieces, _ in look_in_ways(subject_of_run(parts), quick, None, name=run.arch):
        save_evidence(kept / f"{way.name}.safetensors", pieces)
    write_report(parts)
    job.folder.finish(run, evaluation)
    return run
