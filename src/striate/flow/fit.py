"""``striate fit``: look at the data, choose a network, check it, train it, look inside, report.

``fit_events`` is the job itself, told as it happens; ``fit`` runs it to its end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from striate.arch import Arch
from striate.checking import check
from striate.data import Dataset, open_data
from striate.errors import DataError
from striate.flow.batch import fitting_batch, memory_told
from striate.flow.choose import Need, choose
from striate.flow.data import data_options, lasting
from striate.flow.events import (
    Checked,
    DataReady,
    Event,
    Finished,
    FitOptions,
    NetworkReady,
    Probed,
    Probing,
    WeightsReady,
)
from striate.flow.fit_job import Job, trained
from striate.flow.fit_resume import Reading, followed, refuse_more, resumed
from striate.flow.fit_shared import (
    begun_before,
    notes_of,
    refuse_small,
    shared,
    speed_of_all,
    told_of_plan,
    uncompiled,
)
from striate.flow.folders import begun_folder, fresh_folder, refuse_used
from striate.flow.hub import Progress
from striate.flow.network import built, suited, traced, users_errors
from striate.flow.planning import as_long, frozen_for, measured
from striate.flow.quick import NAME as QUICK
from striate.flow.quick import choose_quick
from striate.flow.settings import (
    asked,
    recipe_file,
    recipe_for,
    recipe_like,
    refuse_two_lengths,
    seed_of,
)
from striate.flow.targets import resolve
from striate.flow.weights import put_weights
from striate.flow.weights_fit import (
    asked_weights,
    weights_note,
)
from striate.records import Run
from striate.runs import (
    RunFolder,
)
from striate.runs import Target as KeptTarget
from striate.training import (
    Facts,
    Notice,
    Processes,
    begin_run,
    default_recipe,
)

DEFAULT_MINUTES = 10.0
"""What ``--arch auto`` chooses a width for, where no ``--minutes`` is given."""


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
    with shared(options.device) as together:
        if not together.writes:
            yield from followed(together, reading, options)
        elif options.resume is not None:
            refuse_more(data, options)
            yield from resumed(options.resume, reading, options, together)
        elif (path := begun_before(options.out, together)) is not None:
            yield from resumed(path, reading, options, together)
        else:
            yield from _begun(data or "digits", options, together, command, reading, fetching)


def _begun(
    data: str,
    options: FitOptions,
    together: Processes,
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
        design = choose_quick if options.recipe == QUICK else choose
        choice = design(need_of(dataset, options, from_file))
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
    if options.like is not None:
        recipe, reasons = recipe_like(options.like)
    else:
        recipe, reasons = recipe_for(dataset, module, options, from_file, loaded=loaded)
    if options.batch == "auto":
        with users_errors(network.name):
            recipe, said = fitting_batch(
                recipe,
                network,
                module,
                dataset.image,
                classes=len(dataset.classes),
                lr_asked=options.lr is not None or "lr" in from_file,
                processes=together.count,
            )
        reasons = (*reasons, said)
    yield Probing(reasons=reasons)
    with users_errors(network.name), memory_told(recipe, network, dataset.image):
        found_speed = measured(
            module, dataset, recipe, fresh=options.reprobe, uncompiled=uncompiled(together)
        )
    probed = found_speed.probe
    yield Probed(probe=probed)
    yield from (Notice(text=said) for said in found_speed.compiling.said)
    yield from told_of_plan(recipe, together)
    refuse_small(recipe, dataset, together)
    if probed.nondeterministic is not None:
        yield Notice(text=probed.nondeterministic)
    speed = speed_of_all(found_speed.speed(recipe), together)
    frozen, planned = frozen_for(recipe, dataset, found_speed, speed=speed)
    if options.like is not None:
        frozen = as_long(frozen, recipe, dataset)

    notes: dict[str, Any] = {
        "command": command,
        "why": why,
        "probe": [result.as_json() for result in probed.results],
        "params": found.totals.params,
        **notes_of(together),
        "images": options.images,
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
        job = Job(
            folder=folder,
            dataset=dataset,
            network=network,
            module=module,
            trace=found,
            findings=findings,
            recipe=frozen,
            notes=notes,
            together=together,
            checkpoint_every=options.checkpoint_every,
        )
        yield from trained(job, planned.seconds, resume=False)


def need_of(dataset: Dataset, options: FitOptions, from_file: dict[str, Any]) -> Need:
    """What ``--arch auto`` chooses by."""
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
        seconds=60 * (options.minutes or from_file.get("minutes") or DEFAULT_MINUTES),
        epochs=options.epochs or default_recipe(facts).recipe.epochs,
        cores=os.cpu_count() or 1,
    )
