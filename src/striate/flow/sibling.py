"""Another network trained exactly as a run was: its twin, or itself without some blocks.

It is a run of its own inside the first one's folder, with its data, its frozen recipe and its seed.
A training that was stopped goes on where it was; one that is finished is taken as it is.

Comes in: a finished run, an Arch.  Goes out: the sibling, loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from striate.arch import Arch, load_arch
from striate.data import open_data
from striate.errors import InputError, RunError
from striate.flow.data import kept_data
from striate.flow.events import FitOptions
from striate.flow.fit import fit_events
from striate.flow.folders import begun_folder
from striate.flow.load import load
from striate.records import StepRecord
from striate.runs import LoadedRun, RunFolder, RunInfo, RunPaths
from striate.runs.folder import is_run
from striate.training import begin_run
from striate.training import from_toml as recipe_from_toml

Told = Callable[[int, int], None]
"""Called with (steps done, steps in all) while it is trained."""


def sibling(run: Path, arch: Arch, out: Path, *, why: str, told: Told) -> LoadedRun:
    """``arch`` trained as ``run`` was, in the folder ``out``.

    ``why``: for its own report.  InputError where the run began with trained weights, which no
    other network has, or where ``out`` holds another network; RunError, DataError as ``fit``.
    """
    info = RunInfo.load(RunPaths(run).info)
    if not is_run(out):
        _begin(run, info, arch, out, why)
    kept = RunPaths(out).arch
    if not kept.exists() or load_arch(kept) != arch:
        raise InputError(
            f"{out}: holds another network than {arch.name}; move it away and ask again"
        )
    if RunInfo.load(RunPaths(out).info).result is None:
        for event in fit_events(None, FitOptions(resume=out)):
            if isinstance(event, StepRecord):
                told(event.step, event.steps)
    return load(out)


def _begin(run: Path, info: RunInfo, arch: Arch, out: Path, why: str) -> None:
    """Write what the sibling is, as ``fit`` would before step 1."""
    if "weights" in info.notes:
        raise InputError(
            f"{run}: began with trained weights, which {arch.name} has not; only a run that began "
            "with fresh ones can be trained again alike"
        )
    paths = RunPaths(run)
    try:
        recipe = recipe_from_toml(paths.recipe.read_text("utf-8"), where=str(paths.recipe))
    except OSError as error:
        raise RunError(f"{paths.recipe}: cannot be read ({error.strerror}); restore it") from error
    spec, opening = kept_data(info, recipe, paths.info)
    dataset = open_data(spec, opening)
    given = {key: value for key, value in info.data.items() if key != "fingerprint"}
    notes = {
        "command": info.notes.get("command"),
        "why": why,
        "probe": info.notes.get("probe", ()),
    }

    def begin(folder: RunFolder) -> None:
        begin_run(folder, arch, dataset, recipe, data=given, notes=notes)

    begun_folder(out, begin).close()
