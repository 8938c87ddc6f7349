"""``striate fit --resume``: everything is taken from the run's folder.

So do the processes that train together, but for the first: they follow the folder it has begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from striate.arch import Arch, load_arch
from striate.checking import check
from striate.data import open_data
from striate.errors import InputError, RunError
from striate.flow.data import kept_data
from striate.flow.events import (
    Checked,
    DataReady,
    Event,
    Finished,
    FitOptions,
    NetworkReady,
)
from striate.flow.fit_job import Job, trained
from striate.flow.fit_shared import other_count
from striate.flow.network import traced
from striate.flow.targets import Target, resolve
from striate.flow.weights_fit import begun_again, weights_told
from striate.runs import RunFolder, RunInfo
from striate.runs import Target as KeptTarget
from striate.training import Notice, Processes, announced
from striate.training import from_toml as recipe_from_toml

Reading = Callable[[int, int], None]


def resumed(
    path: Path, reading: Reading | None, options: FitOptions, together: Processes
) -> Iterator[Event]:
    """Go on with the run at ``path`` as its own files say."""
    with RunFolder.open(path) as folder:
        yield from _gone_on(folder, reading, options, together, resume=True)


def followed(together: Processes, reading: Reading | None, options: FitOptions) -> Iterator[Event]:
    """What every process but the first does: wait for the run's folder, and train from it."""
    told = announced(together)
    if told is not None:
        with RunFolder.follow(Path(told["folder"])) as folder:
            yield from _gone_on(folder, reading, options, together, resume=told["resume"])


def _gone_on(
    folder: RunFolder,
    reading: Reading | None,
    options: FitOptions,
    together: Processes,
    *,
    resume: bool,
) -> Iterator[Event]:
    path = folder.path
    paths = folder.paths
    info = RunInfo.load(paths.info)
    if info.result is not None:
        yield Notice(text=f"{path}: is finished already; nothing is left to do")
        yield Finished(run=replace(info.result, run=str(path), report=str(paths.report)))
        return
    recipe = recipe_from_toml(kept_text(paths.recipe), where=str(paths.recipe))
    if not recipe.frozen:
        raise RunError(f"{paths.recipe}: lacks what was decided before step 1; restore it")
    spec, opening = kept_data(info, recipe, paths.info)
    dataset = open_data(spec, opening, progress=reading)
    yield DataReady(dataset=dataset)
    yield from other_count(info.notes, together)
    network: Arch | Target
    kept = None
    if paths.arch.exists():
        network = load_arch(paths.arch)
    else:
        kept = KeptTarget.from_json(kept_text(paths.target), where=paths.target)
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
    job = Job(
        folder=folder,
        dataset=dataset,
        network=network,
        module=module,
        trace=found,
        findings=findings,
        recipe=recipe,
        notes=dict(info.notes),
        together=together,
        checkpoint_every=options.checkpoint_every,
    )
    yield from trained(job, None, resume=resume)


def refuse_more(data: str | None, options: FitOptions) -> None:
    """InputError where more was asked for than to resume, which would not be heeded."""
    silent = FitOptions(resume=options.resume, checkpoint_every=options.checkpoint_every)
    more = [name for name in vars(silent) if getattr(options, name) != getattr(silent, name)]
    if data is not None:
        more.insert(0, repr(data))
    if more:
        raise InputError(
            f"resume {options.resume}: the run goes on with its own data, network and settings; "
            f"leave out {', '.join(more)}"
        )


def kept_text(path: Path) -> str:
    """A file of the run; RunError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); restore the file") from error
