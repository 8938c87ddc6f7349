"""A run's folder: made, opened and locked here; every file in it has its place named once.

run.json              format number, network, data, versions, state, result
arch.toml             the network, or target.json for a user's own
preprocessing.json    from image file to input
recipe.toml           every training setting, frozen before step 1
start.safetensors     the weights before step 1, where they were trained ones
metrics.jsonl         one line a step and an epoch
recovered.json        why and where training went back once; diverged.json: why it ended
checkpoint/           the two newest
weights.safetensors   the kept weights; there when training has finished
evaluation.safetensors  probabilities and labels of the test split
confidence.safetensors  temperature, and what images like the training's look like
evidence/, report.html
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from striate.arch import Arch, to_toml
from striate.errors import OutputError, RunError
from striate.records import Evaluation, Run
from striate.runs.atomic import atomic_write, output_error, writing
from striate.runs.evaluate import save_evaluation
from striate.runs.identity import Target
from striate.runs.info import RunInfo
from striate.runs.lock import Lock
from striate.runs.preprocessing import Preprocessing


class RunPaths:
    """Where each file of the run at ``path`` lies.  Reading needs no lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info = path / "run.json"
        self.arch = path / "arch.toml"
        self.target = path / "target.json"
        self.preprocessing = path / "preprocessing.json"
        self.recipe = path / "recipe.toml"
        self.start = path / "start.safetensors"
        self.metrics = path / "metrics.jsonl"
        self.checkpoints = path / "checkpoint"
        self.weights = path / "weights.safetensors"
        self.evaluation = path / "evaluation.safetensors"
        self.confidence = path / "confidence.safetensors"
        self.evidence = path / "evidence"
        self.report = path / "report.html"
        self.recovered = path / "recovered.json"
        self.diverged = path / "diverged.json"
        self.lock = path / ".lock"


class RunFolder:
    """A run's folder that this process may write to, until ``close`` (or the end of ``with``).

    ``writes``: False for one of several processes that train together and leave it to the first.
    """

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        """Lock an existing folder; use ``create``, ``open`` or ``follow``."""
        self.path = path
        self.paths = RunPaths(path)
        self.writes = writes
        if not writes:
            self._lock = None
            return
        self._lock = Lock(self.paths.lock)
        for part in [*path.glob(".*.part"), *self.paths.checkpoints.glob(".*.part")]:
            part.unlink(missing_ok=True)  # left by a process that was killed while writing

    @classmethod
    def create(cls, path: Path | str) -> RunFolder:
        """Make ``path`` and lock it; ``OutputError`` where it cannot be made or is not empty."""
        path = Path(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            used = any(path.iterdir())
        except FileExistsError as error:
            raise OutputError(f"{path}: is a file, not a folder; choose another --out") from error
        except OSError as error:
            raise output_error(path, error) from error
        if used:
            what = f"continue it with --resume {path}" if is_run(path) else "empty it"
            raise OutputError(f"{path}: exists and is not empty; {what}, or choose another --out")
        return cls(path)

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """Lock a run that was started before; ``RunError`` where there is none, or it is in use."""
        path = Path(path)
        RunInfo.load(RunPaths(path).info)
        return cls(path)

    @classmethod
    def follow(cls, path: Path | str) -> RunFolder:
        """A run that another process of the same training holds the lock of, and writes."""
        path = Path(path)
        RunInfo.load(RunPaths(path).info)
        return cls(path, writes=False)

    def begin(
        self,
        network: Arch | Target,
        *,
        info: RunInfo,
        preprocessing: Preprocessing,
        recipe: str,
    ) -> None:
        """Write what the run is, before its first step.  ``recipe``: recipe.toml's text.

        run.json comes last: a folder with it is a run that can be resumed.
        """
        if isinstance(network, Arch):
            atomic_write(self.paths.arch, to_toml(network).encode())
        else:
            atomic_write(self.paths.target, network.to_json().encode())
        atomic_write(self.paths.preprocessing, preprocessing.to_json().encode())
        atomic_write(self.paths.recipe, recipe.encode())
        info.save(self.paths.info)

    def finish(self, result: Run, evaluation: Evaluation) -> None:
        """Write what came of it: the test evaluation, and the result into run.json."""
        save_evaluation(self.paths.evaluation, evaluation)
        info = RunInfo.load(self.paths.info)
        replace(info, state="finished", result=result).save(self.paths.info)

    def make(self, folder: Path) -> Path:
        """Make a folder inside the run; ``OutputError`` where it cannot be made."""
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __fspath__(self) -> str:
        return os.fspath(self.path)


def is_run(path: Path) -> bool:
    """Whether ``path`` holds a run that can be opened."""
    try:
        RunInfo.load(RunPaths(path).info)
    except RunError:
        return False
    return True
