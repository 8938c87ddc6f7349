"""``striate runs``: which runs there are, what each is, and how far it came.

Nothing is locked and nothing is written, so that runs can be looked at while they train.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from striate.arch import from_toml, load_arch
from striate.building import build
from striate.checking.watched import sick_layers
from striate.errors import InputError, RunError
from striate.records.run_list import ListedRun, ordered
from striate.runs import RunInfo, RunPaths, Target, is_locked, read_progress, read_watched
from striate.training.recipe import load_recipe

USUAL = ("runs", "sweeps")
"""Where ``striate fit`` and ``striate sweep`` put runs unless they are told otherwise."""


def list_runs(*folders: Path | str) -> tuple[ListedRun, ...]:
    """The runs in and below ``folders``, the newest first; by default in ``runs`` and ``sweeps``.

    A run that is not whole is listed too, as broken, with the reason.  ``RunError`` where a folder
    is not there or cannot be read.

    >>> list_runs("runs")[0].accuracy  # doctest: +SKIP
    0.9749
    """
    chosen = [Path(folder) for folder in folders] or _usual()
    found: dict[Path, str] = {}
    for folder in chosen:
        if not folder.is_dir():
            what = "is a file, not a folder" if folder.exists() else "is not there"
            raise RunError(f"{folder}: {what}; name a run's folder, or one that holds runs")
        for path in run_folders(folder):
            found.setdefault(path, named_in(path, folder))
    twice = {name for name in found.values() if list(found.values()).count(name) > 1}
    return ordered(
        [
            read_run(path, name=path.as_posix() if name in twice else name)
            for path, name in found.items()
        ]
    )


def _usual() -> list[Path]:
    there = [Path(name) for name in USUAL if Path(name).is_dir()]
    if not there:
        raise RunError(
            "there is no folder runs or sweeps here, where striate fit and striate sweep put "
            "runs; name the folder that holds yours"
        )
    return there


def named_in(path: Path, folder: Path) -> str:
    """What the run at ``path`` is called among those of ``folder``."""
    return path.resolve().name if path == folder else path.relative_to(folder).as_posix()


def run_folders(folder: Path) -> Iterator[Path]:
    """The folders of runs in and below ``folder``, by name; hidden folders are passed over."""
    yield from _below(folder, frozenset())


def _below(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    real = folder.resolve()
    if real in above:
        return  # a link to a folder that this one lies in
    if looks_like_run(folder):
        yield folder
        return
    try:
        inside = sorted(
            entry.name
            for entry in os.scandir(folder)
            if entry.is_dir() and not entry.name.startswith(".")
        )
    except OSError as error:
        raise RunError(
            f"{folder}: cannot be read ({error.strerror}); name the folders that hold runs"
        ) from error
    for name in inside:
        yield from _below(folder / name, above | {real})


def looks_like_run(path: Path) -> bool:
    """Whether ``path`` holds a run, or what is left of one."""
    paths = RunPaths(path)
    return paths.info.is_file() or (paths.recipe.is_file() and paths.preprocessing.is_file())


def read_run(path: Path | str, *, name: str | None = None) -> ListedRun:
    """What can be told of the run at ``path``; never raises for what is wrong with its files."""
    paths = RunPaths(Path(path))
    listed = ListedRun(
        run=os.fspath(path),
        name=name or Path(path).resolve().name,
        state="interrupted",
        when=_written(paths),
    )
    wrong: list[str] = []
    for part in _PARTS:
        try:
            listed = part(listed, paths)
        except InputError as error:
            wrong.append(_without_folder(str(error), paths.path))
    if is_locked(paths.lock):
        # Between two of its writes a run is not whole yet.
        return replace(listed, state="training")
    if wrong:
        return replace(listed, state="broken", why="; ".join(wrong))
    return listed


def _info(listed: ListedRun, paths: RunPaths) -> ListedRun:
    if not paths.info.exists():
        raise RunError("has no run.json: it was stopped before step 1; begin it again")
    info = RunInfo.load(paths.info)
    params = info.notes.get("params")
    listed = replace(
        listed,
        data=str(info.data.get("spec", "")) or None,
        network=info.network,
        params=params if isinstance(params, int) else None,
    )
    result = info.result
    if result is None:
        return listed
    return replace(
        listed,
        state="finished",
        network=result.arch,
        accuracy=result.accuracy,
        loss=result.loss,
        ece=result.ece,
        seconds=result.seconds,
        images_per_second=result.images_per_second,
        setting=result.setting,
    )


def _recipe(listed: ListedRun, paths: RunPaths) -> ListedRun:
    _there(paths.recipe)
    recipe = load_recipe(paths.recipe)
    return replace(listed, epochs=recipe.epochs, steps=recipe.steps, setting=recipe.setting)


def _network(listed: ListedRun, paths: RunPaths) -> ListedRun:
    if paths.target.exists():
        read_target(paths)
        return listed  # its parameters are in run.json; its code is not run to list it
    _there(paths.arch)
    load_arch(paths.arch)  # which says what is wrong with it
    return replace(listed, params=_params(paths.arch.read_text(encoding="utf-8")))


def read_target(paths: RunPaths) -> Target:
    """The run's target.json; ``RunError`` where it cannot be read."""
    try:
        return Target.from_json(paths.target.read_text(encoding="utf-8"), where=paths.target)
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{paths.target}: cannot be read ({error}); restore the file") from error


@lru_cache(maxsize=256)
def _params(toml: str) -> int:
    """Parameters of a network, each counted once.  Runs of one network are many."""
    return sum(part.numel() for part in build(from_toml(toml), device="meta").parameters())


def _metrics(listed: ListedRun, paths: RunPaths) -> ListedRun:
    if not paths.metrics.exists():
        if listed.state == "finished":
            _there(paths.metrics)
        return listed  # no step has been taken yet
    epochs, last = read_progress(paths.metrics)
    kept = [one for one in epochs if one.best]
    watched = tuple(read_watched(paths.metrics))
    return replace(
        listed,
        epoch=epochs[-1].epoch if epochs else 0,
        step=last.step if last else 0,
        val_accuracy=kept[-1].val_accuracy if kept else None,
        seconds=sum(one.seconds for one in epochs) if listed.seconds is None else listed.seconds,
        images_per_second=listed.images_per_second
        or (epochs[-1].images_per_second if epochs else None),
        looks=len(watched),
        sick=sick_layers(watched),
    )


def _diverged(listed: ListedRun, paths: RunPaths) -> ListedRun:
    if listed.state == "finished" or not paths.diverged.exists():
        return listed
    try:
        facts: dict[str, Any] = json.loads(paths.diverged.read_text(encoding="utf-8"))
        said = f"{facts['what']} at step {facts['step']} (epoch {facts['epoch']})"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{paths.diverged}: broken ({type(error).__name__}: {error})") from error
    return replace(listed, state="diverged", why=said)


def _recovered(listed: ListedRun, paths: RunPaths) -> ListedRun:
    if listed.why is not None or not paths.recovered.exists():
        return listed
    try:
        facts: dict[str, Any] = json.loads(paths.recovered.read_text(encoding="utf-8"))
        said = (
            f"{facts['what']} at step {facts['step']} (epoch {facts['epoch']}); went back to step "
            f"{facts['back']}, and on at {facts['rate']:g} times the rates"
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{paths.recovered}: broken ({type(error).__name__}: {error})") from error
    return replace(listed, why=said)


def _weights(listed: ListedRun, paths: RunPaths) -> ListedRun:
    """Whether a finished run has its weights, whole by their header: their bits are not read."""
    if listed.state != "finished":
        return listed
    _there(paths.weights)
    try:
        with safe_open(paths.weights, framework="np"):
            return listed
    except (OSError, SafetensorError) as error:
        raise RunError(f"{paths.weights}: broken ({error})") from error


_PARTS: tuple[Callable[[ListedRun, RunPaths], ListedRun], ...] = (
    _info,
    _recipe,
    _network,
    _metrics,
    _diverged,
    _recovered,
    _weights,
)
"""What a run's files tell, one after another: what one cannot tell, the others still do."""


def _there(path: Path) -> None:
    """RunError where a file that every such run has is not there."""
    if not path.exists():
        raise RunError(f"{path}: is missing; restore the file")


def _written(paths: RunPaths) -> float | None:
    for path in (paths.metrics, paths.info, paths.recipe):
        try:
            return path.stat().st_mtime
        except OSError:
            continue
    return None


def _without_folder(message: str, folder: Path) -> str:
    """A message without the run's folder, which is told beside it."""
    return message.replace(f"{folder}{os.sep}", "").removeprefix(f"{folder}: ")
