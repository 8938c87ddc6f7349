"""``striate fit``: look at the data, choose a network, check it, train it, look inside, report.

``fit_events`` is the job itself, told as it happens; ``fit`` runs it to its end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from striate.arch import Arch, load_arch
from striate.checking import check
from striate.data import DataOptions, Dataset, epoch_plan, load_batch, open_data
from striate.errors import DataError, InputError, RunError
from striate.flow.choose import Need, choose
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
)
from striate.flow.network import built, suited, traced
from striate.flow.report import ReportParts, write_report
from striate.flow.settings import device_name, recipe_file, recipe_for, refuse_two_lengths
from striate.flow.sizes import parse_image
from striate.flow.targets import Target, resolve
from striate.records import EpochRecord, Finding, ProbeResult, Run, StepRecord, Trace
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


def fit(data: str = "digits", options: FitOptions | None = None) -> Run:
    """Train on ``data`` and return the finished run.

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
) -> Iterator[Event]:
    """The whole job, event by event.

    ``command``: how the user asked for it, for the report.  ``reading``: called with (images
    done, images in all) while images are read.
    """
    if options.resume is None:
        yield from _begun(data or "digits", options, command, reading)
    else:
        yield from _resumed(options.resume, reading)


def _begun(
    data: str, options: FitOptions, command: str | None, reading: Reading | None
) -> Iterator[Event]:
    device_name(options.device)
    refuse_two_lengths(options)
    if options.out is not None:
        _refuse_used(options.out)
    target = None if options.arch == "auto" else resolve(options.arch)
    from_file = recipe_file(options)
    data_options = _data_options(options, from_file)
    dataset = open_data(data, data_options, progress=reading)
    if len(dataset.test) == 0:
        raise DataError(f"{data}: no test images, so nothing could be measured; use --test 0.2")
    yield DataReady(dataset=dataset)

    why, network = None, None if target is None else suited(target, dataset)
    if network is None:
        choice = choose(_need(dataset, options))
        network, why, found = choice.arch, choice.why, choice.trace
    else:
        found = traced(network, dataset.image)
    yield NetworkReady(name=network.name, why=why, trace=found)
    findings = tuple(check(found))
    yield Checked(findings=findings)

    module = built(network, options.seed)
    recipe, reasons = recipe_for(dataset, module, options, from_file)
    yield Probing(reasons=reasons)
    candidates = SETTINGS if recipe.setting == "auto" else (known_setting(recipe.setting),)
    images, labels = _first_batch(dataset, recipe)
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
    }
    with RunFolder.create(options.out or _fresh_folder(dataset.name, network.name)) as folder:
        begin_run(
            folder,
            network if isinstance(network, Arch) else KeptTarget.of(network.text, module),
            dataset,
            frozen,
            data={"spec": _lasting(data), "options": asdict(data_options)},
            notes=notes,
        )
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
            yield Finished(run=info.result)
            return
        recipe = recipe_from_toml(_kept(paths.recipe), where=str(paths.recipe))
        dataset = open_data(
            str(info.data["spec"]), _kept_options(info.data["options"], recipe), progress=reading
        )
        yield DataReady(dataset=dataset)
        network: Arch | Target
        if paths.arch.exists():
            network = load_arch(paths.arch)
        else:
            kept = KeptTarget.from_json(_kept(paths.target), where=paths.target)
            network = resolve(kept.target)
        found = traced(network, dataset.image)
        yield NetworkReady(name=network.name, why=info.notes.get("why"), trace=found)
        findings = tuple(check(found))
        yield Checked(findings=findings)
        job = _Job(
            folder=folder,
            dataset=dataset,
            network=network,
            module=built(network, recipe.seed),
            trace=found,
            findings=findings,
            recipe=recipe,
            notes=dict(info.notes),
        )
        yield from _trained(job, None, resume=True)


def _trained(job: _Job, seconds: float | None, *, resume: bool) -> Iterator[Event]:
    """Train, measure on the test split, look inside, write the report."""
    recipe, folder, paths = job.recipe, job.folder, job.folder.paths
    yield Training(recipe=recipe, folder=folder.path, seconds=seconds, resumed=resume)
    yield from train(job.module, job.dataset, recipe, folder, resume=resume)
    evaluation = evaluate(
        job.module,
        job.dataset.test,
        Preprocessing.of(job.dataset),
        setting=known_setting(recipe.setting),
        batch_size=2 * recipe.batch_size,
        device=recipe.device,
    )
    yield Evaluated(evaluation=evaluation)
    records = list(read_metrics(paths.metrics))
    epochs = [record for record in records if isinstance(record, EpochRecord)]
    steps = [record for record in records if isinstance(record, StepRecord)]
    run = Run(
        run=str(folder.path),
        arch=job.network.name,
        accuracy=evaluation.accuracy,
        loss=evaluation.loss,
        ece=evaluation.ece,
        epochs=recipe.epochs,
        seconds=sum(record.seconds for record in epochs),
        images_per_second=sum(record.images for record in steps)
        / sum(record.seconds for record in steps),
        setting=recipe.setting,
        report=str(paths.report),
    )
    write_report(
        ReportParts(
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
            start=lambda: built(job.network, recipe.seed),
        )
    )
    folder.finish(run, evaluation)
    yield Finished(run=run)


def _data_options(options: FitOptions, from_file: dict[str, Any]) -> DataOptions:
    image = None
    if options.image is not None:
        channels, height, width = parse_image(options.image)
        if channels not in (None, 1, 3):
            raise InputError(
                f"--image {options.image}: images have 1 or 3 channels, not {channels}; "
                f"use {height}x{width} or 3x{height}x{width}"
            )
        image = (height, width) if channels is None else (channels, height, width)
    return DataOptions(
        image=image,
        fit=options.fit,
        bad_images=options.bad_images,
        group=options.group,
        val=options.val,
        test=options.test,
        decoder=from_file.get("decoder", "auto"),
    )


def _kept_options(kept: dict[str, Any], recipe: Recipe) -> DataOptions:
    """The options a run's data were opened with, and the decoder that was chosen then."""
    image = None if kept["image"] is None else tuple(kept["image"])
    return DataOptions(**{**kept, "image": image, "decoder": recipe.decoder})


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


def _refuse_used(out: Path) -> None:
    """Say that ``--out`` is taken before the images are read, not after."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        RunFolder.create(out).close()


def _fresh_folder(data: str, network: str) -> Path:
    """``runs/DATA-NETWORK-1``, or the next number that is free."""
    stem = "".join(c if c.isalnum() or c in "-_." else "-" for c in f"{data}-{network}")
    number = 1
    while (path := Path("runs") / f"{stem}-{number}").exists():
        number += 1
    return path


def _lasting(data: str) -> str:
    """A DATA that still means the same from another working directory."""
    return str(Path(data).resolve()) if Path(data).exists() else data


def _kept(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); restore the file") from error
