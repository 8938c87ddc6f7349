"""``striate fit``: look at the data, choose a network, check it, train it, look inside, report.

``fit_events`` is the job itself, told as it happens; ``fit`` runs it to its end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from striate.arch import Arch, load_arch
from striate.checking import check
from striate.data import Dataset, epoch_plan, load_batch, open_data
from striate.deploying import measure_confidence, save_confidence
from striate.errors import DataError, InputError, OutputError, RunError
from striate.flow.choose import Need, choose
from striate.flow.data import data_options, kept_data, lasting
from striate.flow.events import (
    Checked,
    DataReady,
    Evaluated,
    Event,
    Finished,
    FitOptions,
    NetworkReady,
    Probed,
    Probing,
    Training,
    WeightsReady,
)
from striate.flow.folders import begun_folder, fresh_folder, refuse_used
from striate.flow.hub import Progress
from striate.flow.looking import look_in_ways, subject_of_run
from striate.flow.network import built, suited, traced, users_errors
from striate.flow.report import ReportParts, write_report
from striate.flow.result import run_record
from striate.flow.settings import asked, recipe_file, recipe_for, refuse_two_lengths, seed_of
from striate.flow.targets import Target, resolve
from striate.flow.ways import WAYS
from striate.flow.weights import put_weights
from striate.flow.weights_fit import (
    asked_weights,
    begun_again,
    weights_note,
    weights_told,
)
from striate.records import EpochRecord, Evaluation, Finding, ProbeResult, Run, StepRecord, Trace
from striate.runs import (
    SETTINGS,
    Preprocessing,
    RunFolder,
    RunInfo,
    evaluate,
    known_setting,
    read_metrics,
)
from striate.runs import Target as KeptTarget
from striate.runs.kept_evidence import save_evidence
from striate.training import (
    Facts,
    Notice,
    Recipe,
    begin_run,
    default_recipe,
    freeze,
    plan,
    probe,
    train,
)
from striate.training import from_toml as recipe_from_toml

DEFAULT_MINUTES = 10.0
"""What ``--arch auto`` chooses a width for, where no ``--minutes`` is given."""

Reading = Callable[[int, int], None]


def fit(data: str | None = None, options: FitOptions | None = None) -> Run:
    """Train on ``data`` (``digits`` if nothing is named) and return the finished run.

    >>> run = fit("digits", FitOptions(epochs=1))  # doctest: +SKIP
    >>> run.accuracy  # doctest: +SKIP
    0.92
    """
    for event in fit_events(data, options or FitOptions()):
        if isinstance(event, Finished):
            return event.run
    raise AssertionError("fit_events ends with Finished")


@dataclass(frozen=True, kw_only=True)
class _Job:
    """Everything that is decided before step 1."""

    folder: RunFolder
    dataset: Dataset
    network: Arch | Target
    module: nn.Module
    trace: Trace
    findings: tuple[Finding, ...]
    recipe: Recipe
    notes: dict[str, Any]


def fit_events(
    data: str | None,
    options: FitOptions,
    *,
    command: str | None = None,
    reading: Reading | None = None,
    fetching: Progress | None = None,
) -> Iterator[Event]:
    """The whole job, event by event.

    ``command``: how the user asked for it, for the report.  ``reading``: called with (images
    done, images in all) while images are read; ``fetching`` with bytes, while weights come from
    the hub.
    """
    if options.resume is None:
        yield from _begun(data or "digits", options, command, reading, fetching)
    else:
        _refuse_more(data, options)
        yield from _resumed(options.resume, reading)


def _begun(
    data: str,
    options: FitOptions,
    command: str | None,
    reading: Reading | None,
    fetching: Progress | None,
) -> Iterator[Event]:
    # What can be wrong is looked for before the images are read, which may take minutes.
    refuse_two_lengths(options)
    asked(options)
    if options.out is not None:
        refuse_used(options.out)
    target = None if options.arch == "auto" else resolve(options.arch)
    from_file = recipe_file(options, fresh=target is None or target.arch is not None)
    opening = data_options(options, from_file)
    given, target, why = asked_weights(options, target, progress=fetching)
    if given is not None:
        opening = replace(opening, normalise=given.normalise)
    dataset = open_data(data, opening, progress=reading)
    if len(dataset.test) == 0:
        raise DataError(f"{data}: no test images, so nothing could be measured; use --test 0.2")
    yield DataReady(dataset=dataset)

    network = None if target is None else suited(target, dataset)
    if network is None:
        choice = choose(_need(dataset, options))
        network, why, found = choice.arch, choice.why, choice.trace
    else:
        found = traced(network, dataset.image)
    yield NetworkReady(name=network.name, why=why, trace=found)
    findings = tuple(check(found))
    yield Checked(findings=findings)

    module = built(network, seed_of(options, from_file), dataset.image)
    loaded = None
    if given is not None:
        loaded = put_weights(module, given, classes=dataset.classes)
        yield WeightsReady(source=loaded.source, said=loaded.said)
    recipe, reasons = recipe_for(dataset, module, options, from_file, loaded=loaded)
    yield Probing(reasons=reasons)
    candidates = SETTINGS if recipe.setting == "auto" else (known_setting(recipe.setting),)
    images, labels = _first_batch(dataset, recipe)
    with users_errors(network.name):
        probed = probe(
            module,
            images,
            labels,
            recipe,
            classes=len(dataset.classes),
            candidates=candidates,
            fresh=options.reprobe,
        )
    yield Probed(probe=probed)
    planned = plan(
        recipe,
        train_images=len(dataset.train),
        val_images=len(dataset.val),
        images_per_second=probed.chosen.images_per_second,
    )
    if probed.nondeterministic is not None:
        recipe = recipe.with_({"deterministic": False})
        yield Notice(text=probed.nondeterministic)
    frozen = freeze(recipe, planned, setting=probed.setting, decoder=dataset.decoder)

    notes: dict[str, Any] = {
        "command": command,
        "why": why,
        "probe": [result.as_json() for result in probed.results],
        "params": found.totals.params,
    }
    if given is not None and loaded is not None:
        notes["weights"] = weights_note(given, loaded)

    def begin(folder: RunFolder) -> None:
        begin_run(
            folder,
            network if isinstance(network, Arch) else KeptTarget.of(network.lasting, module),
            dataset,
            frozen,
            data={"spec": lasting(data), "options": asdict(opening)},
            notes=notes,
            start=None if loaded is None else module,
        )

    out = options.out or fresh_folder(dataset.name, network.name)
    with begun_folder(out, begin) as folder:
        job = _Job(
            folder=folder,
            dataset=dataset,
            network=network,
            module=module,
            trace=found,
            findings=findings,
            recipe=frozen,
            notes=notes,
        )
        yield from _trained(job, planned.seconds, resume=False)


def _resumed(path: Path, reading: Reading | None) -> Iterator[Event]:
    with RunFolder.open(path) as folder:
        paths = folder.paths
        info = RunInfo.load(paths.info)
        if info.result is not None:
            yield Notice(text=f"{path}: is finished already; nothing is left to do")
            yield Finished(run=replace(info.result, run=str(path), report=str(paths.report)))
            return
        recipe = recipe_from_toml(_kept(paths.recipe), where=str(paths.recipe))
        if not recipe.frozen:
            raise RunError(f"{paths.recipe}: lacks what was decided before step 1; restore it")
        spec, opening = kept_data(info, recipe, paths.info)
        dataset = open_data(spec, opening, progress=reading)
        yield DataReady(dataset=dataset)
        network: Arch | Target
        kept = None
        if paths.arch.exists():
            network = load_arch(paths.arch)
        else:
            kept = KeptTarget.from_json(_kept(paths.target), where=paths.target)
            network = resolve(kept.target)
        found = traced(network, dataset.image)
        yield NetworkReady(name=network.name, why=info.notes.get("why"), trace=found)
        findings = tuple(check(found))
        yield Checked(findings=findings)
        module = begun_again(network, recipe.seed, dataset.image, paths, info.notes)
        if (told := weights_told(info.notes)) is not None:
            yield told
        if kept is not None and (changed := kept.changed(module)) is not None:
            yield Notice(text=f"{changed}; its bits may differ from an uninterrupted run's")
        job = _Job(
            folder=folder,
            dataset=dataset,
            network=network,
            module=module,
            trace=found,
            findings=findings,
            recipe=recipe,
            notes=dict(info.notes),
        )
        yield from _trained(job, None, resume=True)


def _trained(job: _Job, seconds: float | None, *, resume: bool) -> Iterator[Event]:
    """Train, measure on the test split, look inside, write the report."""
    recipe, folder = job.recipe, job.folder
    yield Training(recipe=recipe, folder=folder.path, seconds=seconds, resumed=resume)
    try:
        with users_errors(job.network.name):
            yield from train(job.module, job.dataset, recipe, folder, resume=resume)
            evaluation = evaluate(
                job.module,
                job.dataset.test,
                Preprocessing.of(job.dataset),
                setting=known_setting(recipe.setting),
                batch_size=2 * recipe.batch_size,
                device=recipe.device,
            )
            save_confidence(
                folder.paths.confidence,
                measure_confidence(
                    job.module,
                    job.dataset,
                    device=recipe.device,
                    batch_size=2 * recipe.batch_size,
                ),
            )
        yield Evaluated(evaluation=evaluation)
        yield Finished(run=_finished(job, evaluation))
    except OutputError as error:
        said = str(error).replace(", or choose another --out", "")
        if "--resume" not in said:
            said += f"; then --resume {folder.path} goes on"
        raise OutputError(said) from error


def _finished(job: _Job, evaluation: Evaluation) -> Run:
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


def _need(dataset: Dataset, options: FitOptions) -> Need:
    facts = Facts(
        train_images=len(dataset.train),
        classes=len(dataset.classes),
        image=dataset.image,
        normed=True,
        crops=dataset.crops,
    )
    return Need(
        image=dataset.image,
        classes=len(dataset.classes),
        train_images=len(dataset.train),
        seconds=60 * (options.minutes or DEFAULT_MINUTES),
        epochs=options.epochs or default_recipe(facts).recipe.epochs,
        cores=os.cpu_count() or 1,
    )


def _first_batch(dataset: Dataset, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """The images and labels that the probe measures on, as the network gets them."""
    first = epoch_plan(dataset.train, seed=recipe.seed, epoch=1, batch_size=recipe.batch_size)[0]
    batch = load_batch(dataset.train, first, augment=None, seed=recipe.seed, epoch=1)
    return Preprocessing.of(dataset)(torch.as_tensor(batch.pixels)), torch.as_tensor(batch.labels)


def _refuse_more(data: str | None, options: FitOptions) -> None:
    """InputError where more was asked for than to resume, which would not be heeded."""
    silent = FitOptions(resume=options.resume)
    more = [name for name in vars(silent) if getattr(options, name) != getattr(silent, name)]
    if data is not None:
        more.insert(0, repr(data))
    if more:
        raise InputError(
            f"resume {options.resume}: the run goes on with its own data, network and settings; "
            f"leave out {', '.join(more)}"
        )


def _kept(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); restore the file") from error
