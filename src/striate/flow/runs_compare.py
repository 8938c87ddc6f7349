"""``striate runs A B``: in what runs differ, and whether their results do."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from striate.arch import load_arch
from striate.data import DataOptions
from striate.errors import InputError, RunError
from striate.flow.runs import looks_like_run, named_in, read_run, read_target
from striate.records import EpochRecord, Evaluation
from striate.records.run_list import Difference, Gap, ListedRun, RunsCompared, differences
from striate.runs import Preprocessing, RunInfo, RunPaths, load_evaluation, read_metrics
from striate.training.recipe import load_recipe

PARTS = ("recipe", "network", "data", "versions")


def compare_runs(*runs: Path | str) -> RunsCompared:
    """Runs side by side: settings that differ, curves, and results on the same test images.

    Runs need not be finished.  ``RunError`` where one is no run or is broken; ``InputError`` for
    fewer than two, or one that is named twice.

    >>> compare_runs("runs/a", "runs/b").differences["recipe"]  # doctest: +SKIP
    (Difference(key='lr', values=(0.1, 0.05)),)
    """
    folders = [Path(run) for run in runs]
    if len(folders) < 2:
        raise InputError("one run alone cannot be compared; name two or more")
    for number, folder in enumerate(folders):
        if not looks_like_run(folder):
            raise RunError(
                f"{folder}: not a run's folder (it has no run.json); name the folder that striate "
                "fit wrote"
            )
        if folder.resolve() in {other.resolve() for other in folders[:number]}:
            raise InputError(f"{folder}: is named twice; name two different runs")
    listed = _named(folders)
    for run in listed:
        if run.state == "broken":
            raise RunError(f"{run.run}: is broken ({run.why}); leave it out, or mend it")
    paths = [RunPaths(folder) for folder in folders]
    settings = [_settings(one) for one in paths]
    found = {part: differences([one[part] for one in settings]) for part in PARTS}
    if len({one.target.exists() for one in paths}) > 1:  # a TARGET has none of an arch's keys
        found["network"] = differences([{"name": run.network} for run in listed])
    elif not paths[0].target.exists():
        found["network"] = differences(_stage_by_stage([one["network"] for one in settings]))
    tests = [
        load_evaluation(one.evaluation) if run.state == "finished" else None
        for one, run in zip(paths, listed, strict=True)
    ]
    prints = [str(one["data"].get("fingerprint")) for one in settings]
    gaps = [None, *(_gap(tests[0], one, prints[0] == p) for one, p in _rest(tests, prints))]
    return RunsCompared(
        runs=tuple(listed),
        differences={part: _brief(part, ones) for part, ones in found.items()},
        gaps=tuple(gaps),
        curves=tuple(_epochs(one) for one in paths),
        notes=tuple(_notes(settings, listed)),
    )


def _named(folders: Sequence[Path]) -> list[ListedRun]:
    """The runs by their folders' names, or by their paths where two have one name."""
    names = [named_in(folder, folder) for folder in folders]
    return [
        read_run(folder, name=name if names.count(name) == 1 else folder.as_posix())
        for folder, name in zip(folders, names, strict=True)
    ]


def _rest(
    tests: Sequence[Evaluation | None], prints: Sequence[str]
) -> list[tuple[Evaluation | None, str]]:
    return list(zip(tests, prints, strict=True))[1:]


def _settings(paths: RunPaths) -> dict[str, Mapping[str, Any]]:
    """Everything that was chosen before step 1, by part."""
    info = RunInfo.load(paths.info)
    # The file, not the model: defaults that came later are not the run's.
    load_recipe(paths.recipe)
    recipe = tomllib.loads(paths.recipe.read_text(encoding="utf-8"))
    recipe.pop("versions", None)
    weights = info.notes.get("weights")
    if isinstance(weights, Mapping):
        recipe["weights"] = weights.get("source")  # pyright: ignore[reportUnknownMemberType]  (JSON)
    network: Mapping[str, Any]
    if paths.target.exists():
        target = read_target(paths)
        network = {"target": target.target, "source": target.source, **target.versions}
    else:
        arch = load_arch(paths.arch)
        network = arch.model_dump(mode="json")
        rows = arch.model_dump(mode="json", exclude_defaults=True)["stages"]
        network["rows"] = [
            ", ".join(f"{key} {value}" for key, value in row.items()) for row in rows
        ]
    try:
        kept = Preprocessing.from_json(
            paths.preprocessing.read_text(encoding="utf-8"), where=paths.preprocessing
        )
    except OSError as error:
        raise RunError(f"{paths.preprocessing}: cannot be read ({error.strerror})") from error
    # An option that came after the run was begun did nothing by default.
    options: dict[str, Any] = {**asdict(DataOptions()), **dict(info.data.get("options") or {})}
    data = {
        "data": info.data.get("spec"),
        "fingerprint": info.data.get("fingerprint"),
        **{key: value for key, value in options.items() if key not in ("image", "decoder")},
        "image": list(kept.image),
        "classes": list(kept.classes),
        "mean": list(kept.mean),
        "std": list(kept.std),
        "scale": kept.scale,
    }
    return {"recipe": recipe, "network": network, "data": data, "versions": dict(info.versions)}


def _stage_by_stage(networks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Stages that all have, key by key; one that some have, as its row in the file."""
    common = min(len(one["stages"]) for one in networks)
    return [
        {
            **{key: value for key, value in one.items() if key not in ("stages", "rows")},
            **{f"stages.{n}": row for n, row in enumerate(one["stages"][:common])},
            **{f"stages.{n}": one["rows"][n] for n in range(common, len(one["rows"]))},
        }
        for one in networks
    ]


def _brief(part: str, found: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """Without what follows from another difference that is listed."""
    keys = {one.key for one in found}
    if part == "data" and "fingerprint" in keys:
        return tuple(one for one in found if one.key not in ("mean", "std"))
    return found


def _epochs(paths: RunPaths) -> tuple[EpochRecord, ...]:
    if not paths.metrics.exists():
        return ()
    records = read_metrics(paths.metrics)
    return tuple(record for record in records if isinstance(record, EpochRecord))


def _gap(first: Evaluation | None, this: Evaluation | None, same: bool) -> Gap | None:
    """The two on the same images; None where they are not, or where one was not tested.

    The variance of a difference of paired shares is (b + c − (b − c)²/n)/n², where b and c count
    the images that one alone gets right (Agresti 2013, Categorical Data Analysis, eq. 11.2).
    """
    if first is None or this is None or not same:
        return None
    if not np.array_equal(first.labels, this.labels):
        return None
    right = [one.probabilities.argmax(axis=1) == one.labels for one in (first, this)]
    n = len(first)
    only_first = int((right[0] & ~right[1]).sum())
    only_this = int((right[1] & ~right[0]).sum())
    gap = only_this - only_first
    return Gap(
        images=n,
        only_first=only_first,
        only_this=only_this,
        accuracy=gap / n,
        error=math.sqrt(only_first + only_this - gap**2 / n) / n,
    )


def _notes(settings: Sequence[Mapping[str, Any]], runs: Sequence[ListedRun]) -> list[str]:
    """What must be known before the numbers are compared."""
    notes: list[str] = []
    if len({str(one["data"].get("fingerprint")) for one in settings}) > 1:
        notes.append(
            "The runs were trained on different images, splits or image sizes: accuracies and "
            "losses are not of the same inputs."
        )
    smoothing = {one["recipe"].get("label_smoothing", 0.0) for one in settings}
    if len(smoothing) > 1:
        notes.append(
            "label_smoothing differs: training losses cannot be compared; validation and test "
            "losses are without it."
        )
    if len({one["versions"].get("processor") for one in settings}) > 1:
        notes.append("The runs were trained on different processors: seconds are not comparable.")
    unfinished = [run for run in runs if run.state != "finished"]
    notes += [f"{run.name} is not finished: {run.progress}." for run in unfinished]
    return notes
