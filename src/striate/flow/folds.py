"""``striate fit --folds K``: a cross-validation, as K trainings in one folder.

``OUT/fold-1`` … are runs like any other.  All have the same test split, which no fold trains on or
chooses by; each is validated on its part of the rest and trained on the others.  The first decides
the network, the recipe and the numeric setting for all.  ``OUT/folds.json`` says what was asked and
what came of it, so that the whole goes on where it was stopped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from striate.errors import InputError, Interrupted, OutputError, RunError
from striate.flow.data import lasting
from striate.flow.events import Event, FitOptions
from striate.flow.fit import fit_events
from striate.flow.fit_resume import Reading, kept_text, refuse_more
from striate.flow.folders import clear_unbegun, fresh_folder, refuse_used
from striate.flow.hub import Progress
from striate.records import EpochRecord, Run
from striate.records.folds import Fold, Folds
from striate.runs import RunInfo, RunPaths, is_run, read_metrics
from striate.runs import Target as KeptTarget
from striate.runs.atomic import atomic_write, writing
from striate.runs.lock import Lock
from striate.training import started_together

FILE, _LOCK = "folds.json", ".lock"


@dataclass(frozen=True, kw_only=True)
class FoldBegins:
    """The training of fold ``number`` ``of`` so many begins, or goes on; ``folder``: of all."""

    number: int
    of: int
    folder: Path


@dataclass(frozen=True, kw_only=True)
class FoldEnded:
    """A fold is finished; ``before``: it had been when this began."""

    fold: Fold
    of: int
    before: bool


FoldEvent = Event | FoldBegins | FoldEnded | Folds


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What folds.json keeps of what was asked for."""

    data: str
    folds: int
    options: FitOptions
    command: str | None


def holds_folds(path: Path) -> bool:
    """Whether ``path`` is the folder of a cross-validation."""
    return (path / FILE).is_file()


def fold_events(
    data: str | None,
    options: FitOptions,
    folds: int | None = None,
    *,
    command: str | None = None,
    reading: Reading | None = None,
    fetching: Progress | None = None,
) -> Iterator[FoldEvent]:
    """``folds`` trainings of ``options`` on ``data``, event by event; the last one is the Folds.

    With ``options.resume``, the folder of a cross-validation, it goes on as it was begun, and
    ``folds`` is None.  The rest is as ``fit_events`` has it.
    """
    if started_together():
        raise InputError(
            "--folds with several processes: each fold is trained by one; leave "
            "--procs or torchrun out, or srun's --ntasks"
        )
    if options.resume is not None:
        refuse_more(data, options)
        if folds is not None:
            raise InputError(
                f"--resume {options.resume}: goes on with the folds it was begun with; leave "
                f"--folds {folds} out"
            )
        yield from _gone_on(options.resume, options.checkpoint_every, reading, fetching)
        return
    if folds is None or folds < 2:
        raise InputError(f"--folds {folds}: must be at least 2")
    if options.val != FitOptions().val:
        raise InputError(
            f"--folds {folds} with --val {options.val:g}: each fold is validated on one part of "
            f"{folds}; leave --val out"
        )
    out = options.out or fresh_folder((data or "digits").split("/")[-1] or "data", "folds")
    refuse_folds(out)
    refuse_used(out)
    asked = _Asked(data=lasting(data or "digits"), folds=folds, options=options, command=command)
    yield from _fresh(asked, out, reading, fetching)


def fit_folds(data: str | None, options: FitOptions, folds: int) -> Folds:
    """``fold_events`` run to its end."""
    for event in fold_events(data, options, folds):
        if isinstance(event, Folds):
            return event
    raise AssertionError("fold_events ends with the Folds")


def refuse_folds(out: Path) -> None:
    """OutputError where ``out`` holds folds already, which --resume goes on with."""
    if holds_folds(out):
        raise OutputError(
            f"{out}: holds folds; continue them with --resume {out}, or choose another --out"
        )


def _gone_on(
    out: Path, checkpoint_every: float | None, reading: Reading | None, fetching: Progress | None
) -> Iterator[FoldEvent]:
    asked = _read_asked(out / FILE)
    lock = Lock(out / _LOCK)
    try:
        options = replace(asked.options, checkpoint_every=checkpoint_every)
        yield from _all_folds(replace(asked, options=options), out, reading, fetching)
    finally:
        lock.release()


def _fresh(
    asked: _Asked, out: Path, reading: Reading | None, fetching: Progress | None
) -> Iterator[FoldEvent]:
    """Begin; where not even the first fold came to step 1, nothing is left."""
    made = [path for path in (out, *out.parents) if not path.exists()]
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    lock = Lock(out / _LOCK)
    try:
        _write(out, asked, [])
        yield from _all_folds(asked, out, reading, fetching)
    finally:
        lock.release()
        if not is_run(out / "fold-1"):
            for path in (out / FILE, out / _LOCK):
                path.unlink(missing_ok=True)
            for path in made:
                with suppress(OSError):  # others may have begun to use it
                    path.rmdir()


def _all_folds(
    asked: _Asked, out: Path, reading: Reading | None, fetching: Progress | None
) -> Iterator[FoldEvent]:
    ended: list[Fold] = []
    for number in range(1, asked.folds + 1):
        path = out / f"fold-{number}"
        before = is_run(path) and RunInfo.load(RunPaths(path).info).result is not None
        if not before:
            yield FoldBegins(number=number, of=asked.folds, folder=out)
            yield from _one_fold(asked, path, number, reading, fetching)
        ended.append(_read_fold(path, number))
        _write(out, asked, ended)
        yield FoldEnded(fold=ended[-1], of=asked.folds, before=before)
    yield Folds(folder=str(out), asked=asked.folds, folds=tuple(ended))


def _one_fold(
    asked: _Asked,
    path: Path,
    number: int,
    reading: Reading | None,
    fetching: Progress | None,
) -> Iterator[Event]:
    """Train the fold in ``path``, or go on with what lies there; who stops it is told of the whole
    folder.
    """
    try:
        yield from _trained(asked, path, number, reading, fetching)
    except (Interrupted, OutputError) as error:
        said = str(error).replace(f"--resume {path}", f"--resume {path.parent}")
        raise type(error)(said) from error


def _trained(
    asked: _Asked,
    path: Path,
    number: int,
    reading: Reading | None,
    fetching: Progress | None,
) -> Iterator[Event]:
    if is_run(path):
        options = FitOptions(resume=path, checkpoint_every=asked.options.checkpoint_every)
        yield from fit_events(None, options, reading=reading)
        return
    clear_unbegun(path)
    options = replace(asked.options, out=path, fold=(number, asked.folds))
    if number > 1:
        first = RunPaths(path.parent / "fold-1")
        options = replace(
            options,
            arch=_network_of(first),
            batch=None if options.batch == "auto" else options.batch,
            like=first.path,
            reprobe=False,
        )
    yield from fit_events(
        asked.data, options, command=asked.command, reading=reading, fetching=fetching
    )


def _network_of(paths: RunPaths) -> str:
    """The network of the first fold, as ``--arch`` takes it."""
    if paths.arch.exists():
        return str(paths.arch)
    return KeptTarget.from_json(kept_text(paths.target), where=paths.target).target


def _read_fold(path: Path, number: int) -> Fold:
    paths = RunPaths(path)
    run = _result(paths)
    best = [
        record
        for record in read_metrics(paths.metrics)
        if isinstance(record, EpochRecord) and record.best
    ]
    if not best or best[-1].val_accuracy is None:
        raise RunError(f"{paths.metrics}: has no validated epoch; restore the file")
    return Fold(
        fold=number,
        run=str(path),
        val_accuracy=best[-1].val_accuracy,
        val_loss=best[-1].val_loss,
        accuracy=run.accuracy,
        loss=run.loss,
        ece=run.ece,
        epochs=run.epochs,
        seconds=run.seconds,
    )


def _result(paths: RunPaths) -> Run:
    result = RunInfo.load(paths.info).result
    assert result is not None, "a fold is read when it has finished"
    return result


def _write(out: Path, asked: _Asked, ended: list[Fold]) -> None:
    """folds.json: what was asked, which ``--resume`` reads, and the document so far."""
    options = {
        field.name: _plain(field.name, getattr(asked.options, field.name))
        for field in fields(FitOptions)
        if field.name not in _NOT_KEPT
    }
    options["changes"] = dict(asked.options.changes)
    document = Folds(folder=str(out), asked=asked.folds, folds=tuple(ended)).as_json()
    document["with"] = {"data": asked.data, "command": asked.command, "options": options}
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    atomic_write(out / FILE, (text + "\n").encode())


_NOT_KEPT = frozenset({"out", "resume", "fold", "like", "checkpoint_every"})
_FILES = ("arch", "recipe", "weights")


def _plain(name: str, value: Any) -> Any:
    """As JSON has it; a file's path such that it still means the same from elsewhere."""
    if name in _FILES and value is not None:
        return lasting(str(value))
    return value


def _read_asked(path: Path) -> _Asked:
    text = kept_text(path)
    try:
        kept: dict[str, Any] = json.loads(text)
        written: dict[str, Any] = kept["with"]
        options = dict(written["options"])
        if options["weights"] is not None:
            options["weights"] = Path(options["weights"])
        return _Asked(
            data=str(written["data"]),
            folds=int(kept["asked"]),
            options=FitOptions(**options),
            command=written["command"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: broken ({type(error).__name__}: {error}); restore it") from error
