"""A finished run as the linter takes it: its network's trace, and its Health on its own images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from striate.checking import Given
from striate.data import open_data
from striate.errors import DataError, InputError
from striate.flow.data import kept_data
from striate.flow.health import IMAGES, measure
from striate.flow.load import load
from striate.flow.network import traced, users_errors
from striate.flow.sizes import full_image
from striate.flow.targets import Target, from_arch, resolve
from striate.flow.weights_fit import begun_again
from striate.records import StepRecord, Trace
from striate.runs import LoadedRun, RunInfo, RunPaths, read_watched
from striate.training import Recipe
from striate.training import from_toml as recipe_from_toml


@dataclass(frozen=True, kw_only=True)
class Examined:
    """A run's network, its trace at the run's image size, and what the rules are given."""

    target: Target
    trace: Trace
    given: Given


def examine(path: Path, image: str | None, given: Given) -> Examined:
    """Look at the run at ``path`` over the first images of its validation split (or its test
    split, where it has none).

    ``given``: what was asked for besides; the run's own batch and optimiser stand in for what was
    not.  RunError or DataError where the run or its data are no more; InputError for another
    ``image`` than the run's.
    """
    run = load(path)
    paths = RunPaths(path)
    size = run.preprocessing.image
    if image is not None and full_image(image, size) != size:
        raise InputError(
            f"--image {image}: {path} is a run, which is checked at the size it was trained on, "
            f"{'x'.join(map(str, size))}; leave --image out"
        )
    recipe = recipe_from_toml(paths.recipe.read_text(encoding="utf-8"), where=str(paths.recipe))
    spec, options = kept_data(RunInfo.load(paths.info), recipe, paths.info)
    dataset = open_data(spec, options)
    split = dataset.val if len(dataset.val) else dataset.test
    if len(split) == 0:
        raise DataError(f"{path}: its data have no validation and no test images to look at")
    picked = np.arange(min(IMAGES, len(split)), dtype=np.int64)
    inputs = run.preprocessing(torch.as_tensor(split.pixels(picked)))
    labels = torch.as_tensor(split.labels[picked])
    target = _target(run, paths)
    with users_errors(target.name):
        found = traced(run.arch or target, size)
        health = measure(
            run.module,
            found,
            inputs,
            labels,
            classes=len(run.preprocessing.classes),
            start=begun_again(run.arch or target, recipe.seed, size, paths, run.info.notes),
            first_loss=_first_loss(run),
        )
    return Examined(
        target=target,
        trace=found,
        given=replace(
            given,
            health=replace(health, watched=tuple(read_watched(paths.metrics))),
            batch=given.batch or recipe.batch_size,
            optimiser=given.optimiser or _optimiser(recipe),
        ),
    )


def _target(run: LoadedRun, paths: RunPaths) -> Target:
    """The run's network: its own copy of an architecture, or the TARGET it came from."""
    if run.arch is not None:
        return from_arch(run.arch, str(paths.arch))
    assert run.target is not None
    return resolve(run.target.target)


def _first_loss(run: LoadedRun) -> float | None:
    """The loss of step 1, which says something of a network that knew nothing; else None."""
    if "weights" in run.info.notes:
        return None
    first = next((record for record in run.metrics if isinstance(record, StepRecord)), None)
    return first.loss if first is not None and first.step == 1 else None


def _optimiser(recipe: Recipe) -> str:
    """As its state is known by."""
    if recipe.optimiser == "sgd":
        return "momentum" if recipe.momentum > 0 else "sgd"
    return recipe.optimiser
