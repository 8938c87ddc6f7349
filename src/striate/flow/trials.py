"""One training out of many, for sweeps and searches: no report, and never done twice.

A trial lies in a run's folder of its own, which ``striate.load``, ``striate see`` and
``striate fit --resume`` can read.  What is found there is gone on with: a finished trial is read
back, one that was begun is resumed from its checkpoint.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from striate.arch import Arch, load_arch, to_dict
from striate.data import DataOptions, Dataset
from striate.errors import DataError, RunError
from striate.flow.data import lasting
from striate.flow.folders import begun_folder, clear_unbegun
from striate.flow.network import built
from striate.flow.planning import SPEED_SECONDS, Measured, frozen_for, measured
from striate.flow.result import run_record
from striate.records import EpochRecord, Evaluation, Run, StepRecord
from striate.runs import (
    Preprocessing,
    RunFolder,
    RunInfo,
    RunPaths,
    evaluate,
    is_run,
    known_setting,
    load_evaluation,
    read_metrics,
)
from striate.training import (
    Facts,
    Notice,
    Recipe,
    begin_run,
    default_recipe,
    train,
)
from striate.training import from_toml as recipe_from_toml

_MACHINE = (
    "steps", "setting", "compile", "threads", "workers", "device", "decoder", "versions",
    "deterministic",
)  # fmt: skip
"""Keys of a recipe that say how, not what, is trained: recipes are compared without them."""


UNCOMPILED = "designs are compared as they are, none of them compiled"
"""Why the many short trainings of a comparison are not compiled."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """How a trial's data are opened again: DATA as the user wrote it, and the options."""

    spec: str
    options: DataOptions = field(default_factory=DataOptions)

    def kept(self) -> Mapping[str, Any]:
        """What run.json says of it."""
        return {"spec": lasting(self.spec), "options": asdict(self.options)}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A training that has ended.  Accuracies in 0…1.

    ``val_accuracy``: of the kept weights on the validation split, by which designs are chosen;
    None where there is none.  ``accuracy``, ``loss``, ``ece``: on the test split.  ``curve``: the
    validation accuracy after each epoch.  ``from_step``: the optimiser steps that were found done;
    all of them where the trial had been finished before.
    """

    folder: Path
    run: Run
    accuracy: float
    loss: float
    ece: float
    val_accuracy: float | None
    val_images: int
    curve: tuple[float | None, ...]
    steps: int
    from_step: int

    @property
    def judged(self) -> float:
        """The accuracy by which designs are chosen: validation's, else the test's."""
        return self.accuracy if self.val_accuracy is None else self.val_accuracy


TrialEvent = StepRecord | EpochRecord | Notice | Trial


def trial_recipe(
    arch: Arch,
    dataset: Dataset,
    changes: Mapping[str, Any] | None = None,
    *,
    where: str = "recipe",
) -> Recipe:
    """What ``fit`` would train ``arch`` by on ``dataset``, with ``changes`` (``augment.flip``).

    A trial does not ``recover``: one that went on at other rates would no longer be comparable.
    RecipeError begins with ``where``.
    """
    from striate.building import build

    module = build(arch, device="meta")
    changes = {"recover": False, **(changes or {})}
    return default_recipe(Facts.of(dataset, module)).recipe.with_(changes, where=where)


def asked_for(recipe: Recipe) -> dict[str, Any]:
    """The keys of a recipe that say what is trained, without those that a machine decides."""
    left = (*_MACHINE, *(() if recipe.minutes is None else ("epochs",)))
    return {key: value for key, value in recipe.model_dump().items() if key not in left}


def train_trial(
    arch: Arch,
    dataset: Dataset,
    recipe: Recipe,
    folder: Path,
    *,
    source: Source | None = None,
) -> Trial:
    """Train ``arch`` on ``dataset`` by ``recipe`` in ``folder``, or go on with what lies there.

    ``arch`` has the data's image and classes (``arch.adapt``); its first weights are a function of
    ``recipe.seed``.  ``recipe`` need not be frozen; one with ``epochs`` (not ``minutes``) makes
    trials that can be compared.  ``source``: how the data are opened again by ``fit --resume``.
    RunError where ``folder`` holds something else, or another process is writing to it;
    Interrupted, Diverged, OutputError as ``training.train`` raises them.
    """
    for event in trial_events(arch, dataset, recipe, folder, source=source):
        if isinstance(event, Trial):
            return event
    raise AssertionError("trial_events ends with a Trial")


def trial_events(
    arch: Arch,
    dataset: Dataset,
    recipe: Recipe,
    folder: Path,
    *,
    source: Source | None = None,
) -> Generator[TrialEvent]:
    """``train_trial``, step by step; the last event is the Trial.

    Whoever stops to iterate stops the training; its checkpoint stays, and it can be gone on with.
    """
    if len(dataset.test) == 0:
        raise DataError(f"{dataset.name}: no test images, so nothing could be measured")
    if is_run(folder):
        yield from _gone_on(arch, dataset, recipe, folder)
        return
    clear_unbegun(folder)
    speed = trial_speed(arch, dataset, recipe)
    found = speed.probe
    if found.nondeterministic is not None:
        yield Notice(text=found.nondeterministic)
    frozen, _ = frozen_for(recipe, dataset, speed)
    origin = source or Source(spec=dataset.name)

    def begin(made: RunFolder) -> None:
        notes: dict[str, Any] = {
            "command": None,
            "why": None,
            "probe": [result.as_json() for result in found.results],
        }
        begin_run(made, arch, dataset, frozen, data=origin.kept(), notes=notes)

    with begun_folder(folder, begin) as opened:
        yield from _trained(opened, arch, dataset, frozen, resume=False)


def _gone_on(arch: Arch, dataset: Dataset, recipe: Recipe, folder: Path) -> Generator[TrialEvent]:
    """What was begun in ``folder``, resumed or read back."""
    with RunFolder.open(folder) as opened:
        paths = opened.paths
        info = RunInfo.load(paths.info)
        kept = recipe_from_toml(paths.recipe.read_text(encoding="utf-8"), where=str(paths.recipe))
        _refuse_another(arch, recipe, kept, paths)
        if info.result is not None:
            if info.data.get("fingerprint") != dataset.fingerprint:
                raise RunError(f"{folder}: was trained on other data; name another folder")
            evaluation = load_evaluation(paths.evaluation)
            yield _trial(opened, info.result, evaluation, dataset, kept.steps or 0)
            return
        yield from _trained(opened, arch, dataset, kept, resume=True)


def _refuse_another(arch: Arch, recipe: Recipe, kept: Recipe, paths: RunPaths) -> None:
    if not paths.arch.exists() or to_dict(load_arch(paths.arch)) != to_dict(arch):
        raise RunError(f"{paths.path}: holds a run of another network; name another folder")
    asked, found = asked_for(recipe), asked_for(kept)
    for key, value in asked.items():
        if found[key] != value:
            raise RunError(
                f"{paths.path}: was begun with {key} = {found[key]}, and now {value} is asked for; "
                "name another folder"
            )


def _trained(
    folder: RunFolder, arch: Arch, dataset: Dataset, recipe: Recipe, *, resume: bool
) -> Generator[TrialEvent]:
    """Train, measure on the test split, write the result."""
    module = built(arch, recipe.seed, dataset.image)
    first: int | None = None
    for event in train(module, dataset, recipe, folder, resume=resume):
        if first is None and isinstance(event, StepRecord):
            first = event.step - 1
        yield event
    evaluation = evaluate(
        module,
        dataset.test,
        Preprocessing.of(dataset),
        setting=known_setting(recipe.setting),
        batch_size=2 * recipe.batch_size,
        device=recipe.device,
        workers=recipe.workers,
        tta=recipe.tta,
    )
    run = run_record(
        folder,
        recipe,
        name=arch.name,
        evaluation=evaluation,
        records=list(read_metrics(folder.paths.metrics)),
        report=None,
    )
    folder.finish(run, evaluation)
    steps = recipe.steps or 0
    yield _trial(folder, run, evaluation, dataset, steps if first is None else first)


def _trial(
    folder: RunFolder, run: Run, evaluation: Evaluation, dataset: Dataset, from_step: int
) -> Trial:
    records = list(read_metrics(folder.paths.metrics))
    epochs = [record for record in records if isinstance(record, EpochRecord)]
    kept = [epoch for epoch in epochs if epoch.best]
    return Trial(
        folder=folder.path,
        run=run,
        accuracy=evaluation.accuracy,
        loss=evaluation.loss,
        ece=evaluation.ece,
        val_accuracy=kept[-1].val_accuracy if kept else None,
        val_images=len(dataset.val),
        curve=tuple(epoch.val_accuracy for epoch in epochs),
        steps=epochs[-1].step if epochs else 0,
        from_step=from_step,
    )


def trial_speed(arch: Arch, dataset: Dataset, recipe: Recipe) -> Measured:
    """The setting of a training and its speed: measured once for each network, and remembered."""
    module = built(arch, recipe.seed, dataset.image)
    given = recipe.setting != "auto"
    budget = SPEED_SECONDS if given else 6.0
    return measured(module, dataset, recipe, budget=budget, uncompiled=UNCOMPILED)
