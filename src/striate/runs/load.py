"""A finished run, read back whole."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from striate.arch import Arch, load_arch
from striate.building import build
from striate.errors import RunError
from striate.records import EpochRecord, Evaluation, Run, StepRecord
from striate.runs.evaluate import load_evaluation
from striate.runs.folder import RunPaths
from striate.runs.identity import Target
from striate.runs.info import RunInfo
from striate.runs.metrics import read_metrics
from striate.runs.preprocessing import Preprocessing
from striate.runs.weights import load_weights


@dataclass(frozen=True, kw_only=True)
class LoadedRun:
    """What is in a run's folder, with the network ready to use.

    ``module`` is in evaluation mode, on the CPU, with the kept weights.  ``arch`` is None for a
    network that came from a TARGET, ``target`` for one that came from an Arch.  ``result`` and
    ``evaluation`` (of the test split) are None where training finished but the test did not.
    ``notices``: lines that a person should see.
    """

    path: Path
    module: nn.Module
    arch: Arch | None
    target: Target | None
    preprocessing: Preprocessing
    recipe: Mapping[str, Any]
    info: RunInfo
    metrics: tuple[StepRecord | EpochRecord, ...]
    evaluation: Evaluation | None
    notices: tuple[str, ...]

    @property
    def result(self) -> Run | None:
        """The numbers the run ended with."""
        return self.info.result


def read_network(
    paths: RunPaths, make: Callable[[str], nn.Module] | None = None
) -> tuple[nn.Module, Arch | None, Target | None]:
    """The run's network, freshly made: from arch.toml, or by ``make`` from target.json's TARGET."""
    if paths.arch.exists():
        arch = load_arch(paths.arch)
        return build(arch), arch, None
    target = Target.from_json(_text(paths.target), where=paths.target)
    if make is None:
        raise RunError(
            f"{paths.path}: its network is {target.target}, not an Arch; open it through striate "
            "itself, or give load_run a function that makes the module of a TARGET"
        )
    return make(target.target), None, target


def load_run(path: Path | str, *, make: Callable[[str], nn.Module] | None = None) -> LoadedRun:
    """Open the finished run at ``path``.

    ``make`` turns a TARGET (``file.py:Net``) into its module, for runs of a user's own network.
    ``RunError`` where the folder is no run, is not finished, or a file of it is broken.
    """
    paths = RunPaths(Path(path))
    info = RunInfo.load(paths.info)
    if not paths.weights.exists():
        raise RunError(
            f"{path}: training has not finished, so it has no weights; finish it with "
            f"--resume {path}"
        )
    module, arch, target = read_network(paths, make)
    load_weights(paths.weights, module)
    changed = target.changed(module) if target else None
    try:
        recipe = tomllib.loads(_text(paths.recipe))
    except tomllib.TOMLDecodeError as error:
        raise RunError(f"{paths.recipe}: not TOML ({error}); restore the file") from error
    return LoadedRun(
        path=Path(path),
        module=module.eval(),
        arch=arch,
        target=target,
        preprocessing=Preprocessing.from_json(
            _text(paths.preprocessing), where=paths.preprocessing
        ),
        recipe=recipe,
        info=info,
        metrics=tuple(read_metrics(paths.metrics)),
        evaluation=load_evaluation(paths.evaluation) if paths.evaluation.exists() else None,
        notices=(changed,) if changed else (),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); restore the file") from error
