"""What ``striate see`` trains before it can look: the run without its tail, its twin.

Comes in: a finished run.  Goes out: Evidence about two runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from striate.arch import plain_twin, residual_twin, shortened
from striate.errors import InputError
from striate.flow.sibling import Told, sibling
from striate.records import Check, EpochRecord, Evaluation, Evidence
from striate.runs import LoadedRun, RunInfo, RunPaths
from striate.runs.folder import is_run

CONFIRMED = "Trained again without its tail"


def twin_of(run: Path, loaded: LoadedRun, told: Told) -> LoadedRun:
    """The run's twin, trained alike, in the run's ``twin/``: plain for a residual network, residual
    for a plain one.

    InputError for a network that has none.
    """
    if loaded.arch is None:
        raise InputError(
            f"{run}: its network is not striate's own, so no skip can be taken from it; train "
            "the other network yourself, and compare with --against RUN"
        )
    plain, residual = plain_twin(loaded.arch), residual_twin(loaded.arch)
    if plain == loaded.arch == residual:
        raise InputError(
            f"{run}: {loaded.arch.name} has no block that can have a skip, so it has no twin"
        )
    arch = plain if plain != loaded.arch else residual
    return sibling(
        run, arch, run / "twin", why=f"The twin of {run.name}, trained alike.", told=told
    )


def confirmed(
    run: Path, loaded: LoadedRun, verdict: Evidence, *, train: bool, told: Told
) -> list[Evidence]:
    """Evidence ``tail.confirmed``: the run without the blocks that could go, trained alike.

    Nothing where it was not asked for (``train``) and was not trained to its end before.
    """
    drop = int(verdict.facts.get("drop", 0))
    why = _unconfirmed(verdict, loaded, drop)
    if why is not None:
        return [Evidence(name="tail.confirmed", title=CONFIRMED, inapplicable=why)] if train else []
    out = run / f"confirm-{drop}"
    if not train and not _finished(out):
        return []
    assert loaded.arch is not None
    arch = shortened(loaded.arch, drop)
    said = f"{run.name} without its last {drop} blocks, trained alike."
    other = sibling(run, arch, out, why=said, told=told)
    assert loaded.evaluation is not None
    assert other.evaluation is not None
    return [_compared(loaded.evaluation, other.evaluation, verdict, out)]


def _unconfirmed(verdict: Evidence, loaded: LoadedRun, drop: int) -> str | None:
    if verdict.inapplicable is not None:
        return verdict.inapplicable
    if verdict.withheld:
        return "The verdict is withheld, so there is nothing to confirm."
    if drop == 0:
        return "No block could go, so there is nothing to confirm."
    if loaded.arch is None:
        return "This network is none of striate's own, so it cannot be built without its tail."
    if loaded.evaluation is None:
        return "This run holds no evaluation of its own to compare with."
    return None


def _compared(whole: Evaluation, short: Evaluation, verdict: Evidence, out: Path) -> Evidence:
    """Both accuracies with their binomial errors, and the error of their difference, image by
    image.
    """
    right = [one.probabilities.argmax(axis=1) == one.labels for one in (whole, short)]
    images = len(right[0])
    same = _unlike(whole, short) == 0
    accuracy = [float(hits.mean()) for hits in right]
    apart = right[1].astype(float) - right[0] if same else np.full(images, np.nan)
    return Evidence(
        name="tail.confirmed",
        title=CONFIRMED,
        facts={
            "drop": verdict.facts["drop"],
            "arch": verdict.facts["arch"],
            "saved": verdict.facts["saved"],
            "images": images,
            "split": verdict.facts["split"],
            "accuracy": accuracy,
            "error": [math.sqrt(a * (1 - a) / images) for a in accuracy],
            "difference": float(apart.mean()),
            "difference_error": float(apart.std() / math.sqrt(images)),
            "run": out.name,
        },
        checks=(
            Check(
                name="same images",
                claim="Images of which the two evaluations know another label",
                value=float(_unlike(whole, short)),
                limit=0.0,
                passed=same,
            ),
        ),
    )


def _unlike(one: Evaluation, other: Evaluation) -> int:
    """Images with another label; all where there are not as many."""
    if len(one.labels) != len(other.labels):
        return max(len(one.labels), len(other.labels))
    return int((one.labels != other.labels).sum())


def _finished(path: Path) -> bool:
    return is_run(path) and RunInfo.load(RunPaths(path).info).result is not None


def curves(runs: Sequence[LoadedRun], names: Sequence[str]) -> Evidence:
    """Evidence ``beside.curves``: loss and accuracy by epoch of both, ``<what>.<0 or 1>``."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for number, run in enumerate(runs):
        epochs = [record for record in run.metrics if isinstance(record, EpochRecord)]
        for key, value in _KEPT.items():
            arrays[f"{key}.{number}"] = np.array([value(epoch) for epoch in epochs], np.float64)
    results = [run.result for run in runs]
    return Evidence(
        name="beside.curves",
        title="How the two learned",
        arrays=arrays,
        facts={
            "names": list(names),
            "accuracy": [None if one is None else one.accuracy for one in results],
            "archs": [None if one is None else one.arch for one in results],
        },
    )


_KEPT: dict[str, Callable[[EpochRecord], float]] = {
    "train_loss": lambda epoch: epoch.train_loss,
    "train_accuracy": lambda epoch: epoch.train_accuracy,
    "val_accuracy": lambda epoch: math.nan if epoch.val_accuracy is None else epoch.val_accuracy,
}
