"""``striate fit`` in several processes: the first decides and writes, the others follow.

The first opens the data, measures the settings and begins the run's folder; then it tells the
others where that lies, and they take everything from it, as a resumed run does.  So no process
decides anything for itself, and the folder must lie where all machines see it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from striate.data import Dataset
from striate.errors import RunError
from striate.runs import RunFolder, RunInfo, RunPaths
from striate.training import (
    Notice,
    Processes,
    Recipe,
    announce,
    joined,
    lost_processes,
    steps_per_epoch,
)

SHARED_SPEED = 0.85
"""What N processes are planned to reach of N times one's speed, before any of it is measured."""


@contextmanager
def shared(device: str) -> Generator[Processes]:
    """The processes that this one was started with.  However the first ends, none waits for it."""
    with joined(device) as together, lost_processes(together):
        try:
            yield together
        finally:
            if together.writes:
                announce(together, None)


def tell_followers(together: Processes, folder: RunFolder, *, resume: bool) -> None:
    """Tell the other processes, which wait for it, where the run lies."""
    if together.writes:
        announce(together, {"folder": str(folder.path.absolute()), "resume": resume})


def notes_of(together: Processes) -> dict[str, Any]:
    """What run.json keeps of how it was started."""
    if together.count == 1:
        return {}
    return {"processes": together.count, "job": _job()}


def begun_before(out: Path | None, together: Processes) -> Path | None:
    """The run that these processes began before they were all started again; None for a first
    start.
    """
    job = _job()
    if together.count == 1 or job is None:
        return None
    folders = [out] if out is not None else sorted(Path("runs").glob("*"))
    for folder in folders:
        try:
            info = RunInfo.load(RunPaths(folder).info)
        except RunError:
            continue
        if info.notes.get("job") == job:
            return folder
    return None


def _job() -> str | None:
    """What tells this job from every other: the elastic agent's name for it, which stays when it
    starts its processes again; without a name of its own, the agent's machine and process.
    """
    name = os.environ.get("TORCHELASTIC_RUN_ID")
    if name is None or name != "none":
        return name
    return f"{socket.gethostname()}:{os.getppid()}"


def other_count(notes: Mapping[str, Any], together: Processes) -> Iterator[Notice]:
    """A notice where a run goes on with another number of processes than it was begun with."""
    then = notes.get("processes", 1)
    if then != together.count and together.writes:
        yield Notice(
            text=f"the run was started with {_processes(then)} and goes on with "
            f"{_processes(together.count)}: the same samples meet in the same batches, and sums "
            "are rounded otherwise, so its last bits differ from an uninterrupted run's"
        )


def _processes(count: int) -> str:
    return f"{count} process{'' if count == 1 else 'es'}"


def speed_of_all(images_per_second: float, together: Processes) -> float:
    """The speed to plan with: one process's, as measured, times their number and what is lost."""
    if together.count == 1:
        return images_per_second
    return images_per_second * together.count * SHARED_SPEED


def uncompiled(together: Processes) -> str | None:
    """Why training steps are not compiled here; None where they may be."""
    return None if together.count == 1 else "it works in one process, and several train here"


def told_of_plan(recipe: Recipe, together: Processes) -> Iterator[Notice]:
    """A notice where the number of steps rests on an assumed speed."""
    if together.count > 1 and recipe.minutes is not None:
        yield Notice(
            text=f"minutes = {recipe.minutes:g} is planned with {SHARED_SPEED:.0%} of "
            f"{together.count} times the speed of one process, which was measured alone"
        )


def refuse_small(recipe: Recipe, dataset: Dataset, together: Processes) -> None:
    """RecipeError, before anything is written, where a batch has too few images to share."""
    images = len(dataset.train)
    least = images // steps_per_epoch(images, recipe.batch_size)
    together.refuse_small([dataset.train.labels[:least]])
