"""``striate.load``: a finished run, its network whatever it is, ready to use."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from striate.flow.hub_run import run_folder
from striate.flow.network import settled
from striate.flow.targets import resolve
from striate.runs import LoadedRun, Preprocessing, RunPaths, load_run


def load(path: Path | str) -> LoadedRun:
    """Open the finished run at ``path``; a user's own network is made again from its TARGET.

    ``hub:user/name`` is a run that ``striate push`` put there.  ``RunError`` where the folder is no
    run, is not finished or is broken; ``TargetError`` where the TARGET is no more.
    """
    path = run_folder(path)
    paths = RunPaths(path)

    def make(target: str) -> nn.Module:
        kept = paths.preprocessing.read_text(encoding="utf-8")
        image = Preprocessing.from_json(kept, where=paths.preprocessing).image
        found = resolve(target)
        return settled(found.make(), image, found.name)

    return load_run(path, make=make)
