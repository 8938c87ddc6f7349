"""The Runs tab of ``striate serve``: runs of some folders, none of which leads out of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from striate.errors import RunError
from striate.flow.runs import USUAL, named_in, read_run, run_folders
from striate.flow.runs_compare import compare_runs
from striate.records import EpochRecord
from striate.records.run_list import ListedRun, RunsCompared, ordered
from striate.runs import RunPaths, is_locked, read_progress

MOST_COMPARED = 6
MOST_STEPS = 600
"""Steps that are told at once; of more, evenly spaced ones."""
MOST_READ = 64 * 2**20
"""Bytes of metrics that are read at once: of a longer file the last ones."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """``runs``: by name.  ``left_out``: folders of runs that lead out of the served ones."""

    runs: tuple[ListedRun, ...]
    left_out: tuple[str, ...]


class ServedRuns:
    """Runs in and below ``folders``; by default in ``runs`` and ``sweeps``, where they are.

    A request names a run by the name it was listed with, never by a path.
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise RunError(f"--runs {folder}: is no folder; name one that holds runs")
        self._given = tuple(folders)

    def listed(self) -> Found:
        """The runs, the newest first.  RunError where a folder cannot be read."""
        inside, left_out = self._paths()
        return Found(
            runs=ordered([read_run(path, name=name) for name, path in inside.items()]),
            left_out=tuple(left_out),
        )

    def path(self, name: str) -> Path | None:
        """The folder of the run of that name; None where none is listed so."""
        return self._paths()[0].get(name)

    def compared(self, paths: Sequence[Path]) -> RunsCompared:
        """Two runs or more side by side.  RunError or InputError as ``striate runs A B``."""
        return compare_runs(*paths)

    def _paths(self) -> tuple[dict[str, Path], list[str]]:
        folders = self._given or tuple(Path(name) for name in USUAL if Path(name).is_dir())
        inside: dict[str, Path] = {}
        left_out: list[str] = []
        for folder in folders:
            root = folder.resolve()
            for path in run_folders(folder):
                name = named_in(path, folder)
                if name in inside:
                    name = path.as_posix()
                if leads_out(path, root):
                    left_out.append(name)
                else:
                    inside[name] = path
        return inside, left_out


def leads_out(path: Path, root: Path) -> bool:
    """Whether a run's folder, or a link in it, leads to somewhere outside ``root``."""
    places: Iterable[Path] = (path, *path.iterdir(), *(path / "checkpoint").glob("*"))
    return any(not place.resolve().is_relative_to(root) for place in places)


def epochs_of(path: Path) -> tuple[EpochRecord, ...]:
    """The epochs of the run at ``path``; none before its first."""
    metrics = RunPaths(path).metrics
    return read_progress(metrics)[0] if metrics.exists() else ()


@dataclass(frozen=True, kw_only=True)
class News:
    """What was written since: ``again``: from the beginning, since the file was cut back."""

    again: bool
    steps: tuple[dict[str, Any], ...]
    epochs: tuple[dict[str, Any], ...]
    training: bool


class Feed:
    """A run's metrics as they grow.  Nothing is locked and nothing is written."""

    def __init__(self, path: Path) -> None:
        self._paths = RunPaths(path)
        self._read = 0
        self._begun = False

    def news(self) -> News:
        """What is new since the last call.  RunError where the metrics cannot be read."""
        training = is_locked(self._paths.lock)  # before reading, so that the last lines are seen
        lines, again = self._lines()
        try:
            records = [json.loads(line) for line in lines]
        except ValueError as error:
            raise RunError(f"{self._paths.metrics}: a line is no training record") from error
        steps = [one for one in records if one.get("kind") == "step"]
        thinned = steps[:: max(1, -(-len(steps) // MOST_STEPS))]
        if steps and thinned[-1] is not steps[-1]:
            thinned.append(steps[-1])
        return News(
            again=again,
            steps=tuple(thinned),
            epochs=tuple(one for one in records if one.get("kind") == "epoch"),
            training=training,
        )

    def run(self) -> ListedRun:
        """What can be told of the run now."""
        return read_run(self._paths.path)

    def _lines(self) -> tuple[list[bytes], bool]:
        """The whole lines behind what was read, and whether it was begun again."""
        path = self._paths.metrics
        again = not self._begun
        self._begun = True
        if not path.exists():
            return [], again
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                if size < self._read:
                    self._read, again = 0, True
                start = max(self._read, size - MOST_READ)
                file.seek(start)
                text = file.read(size - start)
        except OSError as error:
            raise RunError(f"{path}: cannot be read ({error.strerror})") from error
        whole = text[: text.rfind(b"\n") + 1]
        if start > self._read:  # it begins within a line
            whole = whole[whole.find(b"\n") + 1 :]
        self._read = start + len(text[: text.rfind(b"\n") + 1])
        return [line for line in whole.split(b"\n") if line], again


def epoch_json(epoch: EpochRecord) -> dict[str, Any]:
    """One epoch as plain data."""
    return asdict(epoch)
