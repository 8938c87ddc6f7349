"""A finished training becomes a page: facts are put in words, evidence is drawn, one file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from striate.data import Dataset
from striate.data.resolving import BUILT_IN
from striate.deploying import load_confidence
from striate.flow.events import WeightsReady
from striate.flow.ways import WAYS
from striate.records import (
    Calibration,
    EpochRecord,
    Evaluation,
    Finding,
    ProbeResult,
    Run,
    StepRecord,
    Trace,
)
from striate.reporting import DataFacts, ReportInput, RunFacts, render_report
from striate.runs import (
    RunInfo,
    RunPaths,
    at_temperature,
    atomic_write,
    expected_calibration_error,
    processor,
    versions,
)
from striate.runs.kept_evidence import load_evidence
from striate.training import Recipe

EXAMPLES = 12


@dataclass(frozen=True, kw_only=True)
class ReportParts:
    """What a training leaves in hand.

    ``make``: its network with the fresh weights of a seed, which know nothing: what was learnt is
    held against them, also where the run began with trained ones.
    ``weights``: those it began with, where they were trained ones.  ``images``: what was asked now
    of images of the data, ``embed`` or ``none``; None: what was asked when the run was begun.
    """

    paths: RunPaths
    run: Run
    dataset: Dataset
    module: nn.Module
    trace: Trace
    findings: Sequence[Finding]
    evaluation: Evaluation
    epochs: Sequence[EpochRecord]
    steps: Sequence[StepRecord]
    recipe: Recipe
    probe: Sequence[ProbeResult]
    command: str
    why: str | None
    make: Callable[[int], nn.Module]
    weights: WeightsReady | None = None
    images: str | None = None


def write_report(parts: ReportParts) -> None:
    """Write report.html, from the parts and all that the run's ``evidence/`` holds."""
    kept = parts.paths.confidence
    calibration = load_confidence(kept).calibration if kept.exists() else None
    evidence = [piece for path in _kept(parts.paths) for piece in load_evidence(path)]
    page = render_report(
        ReportInput(
            run=_run_facts(parts),
            data=data_facts(parts.dataset),
            trace=parts.trace,
            evaluation=parts.evaluation,
            findings=parts.findings,
            probe=parts.probe,
            epochs=parts.epochs,
            steps=parts.steps,
            evidence=evidence,
            images=embeds(parts),
            calibration=calibration,
            tempered=None if calibration is None else _at(parts.evaluation, calibration),
        )
    )
    atomic_write(parts.paths.report, page.encode())


def embeds(parts: ReportParts) -> bool:
    """Whether the page carries images of the data: where asked, and those that are built in.

    Anybody's own may be private, and a page is soon sent on.
    """
    info = RunInfo.load(parts.paths.info)
    asked = parts.images or info.notes.get("images")
    if asked is not None:
        return asked == "embed"
    return str(info.data.get("spec")).split(":", maxsplit=1)[0] in BUILT_IN


def _at(evaluation: Evaluation, calibration: Calibration) -> Evaluation:
    """The same images, with the probabilities at the temperature."""
    logs = np.log(np.maximum(evaluation.probabilities, np.finfo(np.float32).tiny))
    found = at_temperature(logs, calibration.temperature)
    own = found[np.arange(len(found)), evaluation.labels].astype(np.float64)
    return replace(
        evaluation,
        probabilities=found,
        loss=float(-np.log(np.maximum(own, np.finfo(np.float32).tiny)).mean()),
        ece=expected_calibration_error(found, evaluation.labels),
    )


def _kept(paths: RunPaths) -> list[Path]:
    """The evidence of the ways there are, in their order; what another version left is let lie."""
    return [path for way in WAYS if (path := paths.evidence / f"{way.name}.safetensors").exists()]


def data_facts(dataset: Dataset) -> DataFacts:
    """What the page says about the images; the examples are the first of each class in turn."""
    labels = dataset.train.labels
    rounds = [np.flatnonzero(labels == number)[:EXAMPLES] for number in range(len(dataset.classes))]
    picked = [
        int(found[turn]) for turn in range(EXAMPLES) for found in rounds if turn < len(found)
    ][:EXAMPLES]
    chosen = np.array(picked, np.int64)
    sizes = dataset.sizes
    return DataFacts(
        name=dataset.name,
        classes=dataset.classes,
        image=dataset.image,
        counts={split.name: len(split) for split in dataset.splits},
        class_counts={
            split.name: np.bincount(split.labels, minlength=len(dataset.classes)).tolist()
            for split in dataset.splits
        },
        sizes=None
        if sizes.uniform and sizes.least == dataset.image[1:]
        else f"{'×'.join(map(str, sizes.least))} to {'×'.join(map(str, sizes.greatest))}",
        pixel_range=(0.0, float(dataset.scale)),
        scale=dataset.scale,
        mean=dataset.mean,
        std=dataset.std,
        notes=dataset.notes,
        examples=dataset.train.pixels(chosen),
        example_labels=labels[chosen].tolist(),
    )


def _run_facts(parts: ReportParts) -> RunFacts:
    paths = parts.paths
    shown = (paths.recipe, paths.arch if paths.arch.exists() else paths.target)
    return RunFacts(
        name=paths.path.name,
        arch=parts.run.arch,
        command=parts.command,
        seconds=parts.run.seconds,
        setting=parts.run.setting,
        date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        why=parts.why,
        hardware=f"{processor()}, {os.cpu_count()} cores"
        if parts.recipe.device == "cpu"
        else parts.recipe.device,
        seed=parts.recipe.seed,
        weights=() if parts.weights is None else (parts.weights.source, *parts.weights.said),
        texts={path.name: path.read_text(encoding="utf-8") for path in shown},
        versions=versions(),
    )
