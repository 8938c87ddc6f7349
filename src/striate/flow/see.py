"""``striate see``: evidence about a finished run, each way of looking by itself, and the report.

What was seen is kept in the run's ``evidence/``, a file for each way, and the report is drawn from
all that lies there; so a way that is asked for alone replaces its own part and leaves the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from torch import nn

from striate.checking import check
from striate.data import Dataset, Fit, open_data, read_image
from striate.errors import DataError, InputError, TargetError
from striate.flow.data import kept_data
from striate.flow.load import load
from striate.flow.looking import Progress, look_in_ways, subject_of_run
from striate.flow.network import built, traced, users_errors
from striate.flow.report import ReportParts, embeds, write_report
from striate.flow.see_more import confirmed, curves, twin_of
from striate.flow.see_steps import CONFIRM, TWIN, Step
from striate.flow.targets import resolve
from striate.flow.ways import Way, named_ways
from striate.flow.weights_fit import weights_told
from striate.records import EpochRecord, Evidence, ProbeResult, StepRecord
from striate.runs import (
    LoadedRun,
    Preprocessing,
    RunFolder,
    evaluate,
    known_setting,
)
from striate.runs.kept_evidence import save_evidence
from striate.seeing.looking import subject_of
from striate.seeing.subject import LookOptions, Pictures, Subject
from striate.tracing import trace
from striate.training import from_toml as recipe_from_toml


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What ``see`` found.  ``seconds``: what each way took.  ``notices``: what a person should see.

    ``report`` is the page it was written to; ``embedded``: images of the data are in it.
    """

    run: str
    report: str
    embedded: bool
    evidence: tuple[Evidence, ...]
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    notices: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The ``see`` document: its keys do not change without a version bump."""
        return {
            "striate": 1,
            "run": self.run,
            "report": self.report,
            "evidence": [piece_json(piece) for piece in self.evidence],
            "seconds": dict(self.seconds),
        }


def piece_json(piece: Evidence) -> dict[str, Any]:
    """One piece without its arrays, of which the shapes are told; they lie in ``evidence/``."""
    return {
        "name": piece.name,
        "title": piece.title,
        "withheld": piece.withheld,
        "inapplicable": piece.inapplicable,
        "checks": [
            {
                "name": one.name,
                "claim": one.claim,
                "value": _plain(one.value),
                "limit": one.limit,
                "passed": one.passed,
            }
            for one in piece.checks
        ],
        "facts": _plain(dict(piece.facts)),
        "arrays": {name: list(array.shape) for name, array in piece.arrays.items()},
    }


def see(
    run: Path | str,
    images: Sequence[Path | str] = (),
    *,
    only: Sequence[str] = (),
    confirm: bool = False,
    twin: bool = False,
    against: Path | str | None = None,
    options: LookOptions | None = None,
    embed: Literal["embed", "none"] | None = None,
    progress: Progress | None = None,
) -> Seen:
    """Look inside the finished run at ``run``, keep what is seen, write its report again.

    ``images``: files to explain, prepared as the run prepares its own; without any, a few of its
    test split by a rule that is stated.  ``only``: names of the ways of looking (all).
    ``confirm``: train it again without the blocks that its tail's verdict names.  ``twin``: train
    its twin, and set the two side by side; ``against``: another run in the twin's place.  What was
    trained lies in the run's folder, and is gone on with where it was stopped.  ``embed``: whether
    the report carries images of the data; None: as was asked when the run was begun, else only
    those that are built in.

    InputError, RunError, DataError or ImageError, in one line, for what cannot be.

    >>> from striate import see
    >>> seen = see("runs/digits", only=["fields"])  # doctest: +SKIP
    """
    pair = twin or against is not None
    if against is not None and Path(against).resolve() == Path(run).resolve():
        raise InputError(f"--against {against}: is the same run; name another")
    if twin and against is not None:
        raise InputError(f"--twin and --against {against}: both name the second run; give one")
    ways = _asked(only, confirm=confirm, pair=pair)
    loaded = load(run)
    with RunFolder.open(Path(run)) as folder:
        given = _given(images, loaded.preprocessing) if images else None
        parts = replace(_parts(loaded, folder), images=embed)
        subject = replace(subject_of_run(parts, options), given=given)
        second: LoadedRun | None = None
        if pair:
            second = (
                load(against)
                if against is not None
                else twin_of(folder.path, loaded, _telling(progress, TWIN))
            )
            beside = _beside(parts, second, Path(against or folder.path / "twin"), options)
            subject = replace(subject, beside=beside)
        found: dict[str, Sequence[Evidence]] = {}
        seconds: dict[str, float] = {}
        kept = folder.make(parts.paths.evidence)
        for way, pieces, took in look_in_ways(subject, ways, progress, name=parts.run.arch):
            if way.name == "tail":
                told = _telling(progress, CONFIRM)
                more = confirmed(folder.path, loaded, pieces[0], train=confirm, told=told)
                pieces = [*pieces, *more]
            if way.name == "beside" and second is not None:
                names = [folder.path.name, "twin" if against is None else Path(against).name]
                pieces = [curves((loaded, second), names), *pieces]
            save_evidence(kept / f"{way.name}.safetensors", pieces)
            found[way.name], seconds[way.name] = pieces, took
        write_report(parts)
    return Seen(
        run=str(run),
        report=str(parts.paths.report),
        embedded=embeds(parts),
        evidence=tuple(piece for pieces in found.values() for piece in pieces),
        seconds=seconds,
        notices=loaded.notices,
    )


def see_network(
    module: nn.Module,
    data: str | Dataset,
    images: Sequence[Path | str] = (),
    *,
    only: Sequence[str] = (),
    start: Callable[[], nn.Module] | None = None,
    options: LookOptions | None = None,
    progress: Progress | None = None,
) -> tuple[Evidence, ...]:
    """Look inside any classifier, trained however it was; nothing is written.

    ``data``: what it classifies, as ``striate fit`` takes it, or an open ``Dataset``; its test
    split is looked at.  ``start``: makes the network as it was before training; without it, a copy
    whose weights are shuffled layer by layer stands in for it.  The module is left as it was.

    DataError where there are no test images; TargetError where it is no classifier of theirs.
    """
    ways = named_ways(only)
    dataset = open_data(data) if isinstance(data, str) else data
    if len(dataset.test) == 0:
        raise DataError(f"{dataset.name}: no test images, so there is nothing to look at")
    preprocessing = Preprocessing.of(dataset)
    name = type(module).__name__
    with users_errors(name):
        evaluation = evaluate(module, dataset.test, preprocessing)
        subject = subject_of(
            module, dataset.test, preprocessing, evaluation, start=start, options=options
        )
    found = trace(module, dataset.image, name=name)
    if found.failure is not None:
        raise TargetError(f"{name} cannot be traced: {found.failure.message}")
    given = _given(images, preprocessing) if images else None
    subject = replace(subject, trace=found, given=given)
    looked = look_in_ways(subject, ways, progress, name=name)
    return tuple(piece for _, pieces, _ in looked for piece in pieces)


def _asked(only: Sequence[str], *, confirm: bool, pair: bool) -> tuple[Way, ...]:
    """The ways of these names (all for none), with those that options need."""
    if "beside" in only and not pair:
        raise InputError("--only beside: compares two runs; add --twin, or --against RUN")
    if not only:
        return (*named_ways(), *(named_ways(["beside"]) if pair else ()))
    return named_ways([*only, *(["tail"] if confirm else []), *(["beside"] if pair else [])])


def _telling(progress: Progress | None, step: Step) -> Callable[[int, int], None]:
    def told(done: int, total: int) -> None:
        if progress is not None:
            progress(step, done, total)

    return told


def _beside(
    parts: ReportParts, second: LoadedRun, path: Path, options: LookOptions | None
) -> Subject:
    """The second run on the first one's images; InputError where it was made for others."""
    with RunFolder.open(path) as folder:
        other = _parts(second, folder)
    if other.dataset.fingerprint != parts.dataset.fingerprint:
        raise InputError(
            f"{path}: was trained on other data ({other.dataset.name}) than {parts.paths.path}, "
            "so the two cannot be compared image by image; name a run on the same data"
        )
    return subject_of_run(other, options)


def _parts(loaded: LoadedRun, folder: RunFolder) -> ReportParts:
    """What training left in hand, from the run's folder."""
    paths, info, result = folder.paths, loaded.info, loaded.result
    if result is None:
        raise InputError(
            f"{folder.path}: was not measured to its end; finish it with --resume {folder.path}"
        )
    recipe = recipe_from_toml(paths.recipe.read_text(encoding="utf-8"), where=str(paths.recipe))
    spec, opening = kept_data(info, recipe, paths.info)
    dataset = open_data(spec, opening)
    if len(dataset.test) == 0:
        raise DataError(f"{folder.path}: its data have no test images left to look at")
    network = loaded.arch or resolve(loaded.target.target if loaded.target else info.network)
    with users_errors(info.network):
        found = traced(network, dataset.image)
        evaluation = loaded.evaluation or evaluate(
            loaded.module,
            dataset.test,
            loaded.preprocessing,
            setting=known_setting(recipe.setting),
            batch_size=2 * recipe.batch_size,
            tta=recipe.tta,
        )
    if len(evaluation) != len(dataset.test):
        raise DataError(
            f"{spec}: has {len(dataset.test)} test images now, and {folder.path} was measured on "
            f"{len(evaluation)}; restore the data, or train again"
        )
    notes = dict(info.notes)
    return ReportParts(
        paths=paths,
        run=replace(result, run=str(folder.path), report=str(paths.report)),
        dataset=dataset,
        module=loaded.module,
        trace=found,
        findings=tuple(check(found)),
        evaluation=evaluation,
        epochs=[record for record in loaded.metrics if isinstance(record, EpochRecord)],
        steps=[record for record in loaded.metrics if isinstance(record, StepRecord)],
        recipe=recipe,
        probe=[ProbeResult(**one) for one in notes.get("probe", ())],
        command=notes.get("command") or f"striate fit {dataset.name}",
        why=notes.get("why"),
        make=lambda seed: built(network, seed, dataset.image),
        weights=weights_told(notes),
    )


def _given(files: Sequence[Path | str], preprocessing: Preprocessing) -> Pictures:
    """Image files as the run takes its own: brought to its size and depth, in its pixel units."""
    pixels: list[np.ndarray[Any, np.dtype[np.float32]]] = []
    for file in files:
        found, scale = read_image(
            Path(file),
            image=preprocessing.image,
            fit=cast(Fit, preprocessing.fit),
            decoder="pillow" if preprocessing.decoder == "pillow" else "auto",
        )
        pixels.append((found.astype(np.float64) * (preprocessing.scale / scale)).astype(np.float32))
    return Pictures(
        names=tuple(str(file) for file in files),
        pixels=np.stack(pixels),
        labels=np.full(len(files), -1, np.int64),
        why=("It was named.",) * len(files),
    )


def _plain(value: Any) -> Any:
    """JSON values; NaN and infinities, which JSON has not, are null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in cast("Sequence[Any]", value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value
