"""A run's confidence: as it was measured when the run was made, or measured now and kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from striate.data import Dataset, open_data
from striate.deploying import Confidence, load_confidence, measure_confidence, save_confidence
from striate.errors import DataError, OutputError, RunError
from striate.flow.data import kept_data
from striate.flow.network import users_errors
from striate.runs import LoadedRun, RunInfo, RunPaths, Tta, known_tta
from striate.training import from_toml as recipe_from_toml


@dataclass(frozen=True, kw_only=True)
class Measured:
    """``said``: what a person should know about where ``confidence`` comes from."""

    confidence: Confidence
    said: tuple[str, ...]


def confidence_of(run: LoadedRun, *, device: str = "cpu") -> Measured:
    """The run's confidence.

    A run that was made before confidence was kept has it measured now, on its own data, and written
    to its folder.  Where those data are no more, nothing is calibrated, and ``said`` says so.
    """
    paths = RunPaths(run.path)
    if paths.confidence.exists():
        found = load_confidence(paths.confidence)
        return Measured(confidence=found, said=_unmeasured(found))
    try:
        dataset = run_dataset(run.path)
    except DataError as error:
        why = f"its data cannot be opened again: {error}"
        lost = Confidence(calibration=None, familiar=None, why_not=why)
        return Measured(confidence=lost, said=_unmeasured(lost))
    with users_errors(run.info.network):
        found = measure_confidence(run.module, dataset, device=device, tta=tta_of(run))
    said = ["confidence was not measured when this run was made; it was now"]
    try:
        save_confidence(paths.confidence, found)
        said[0] += f", and is kept in {paths.confidence}"
    except OutputError as error:
        said[0] += f", but could not be kept: {error}"
    return Measured(confidence=found, said=(*said, *_unmeasured(found)))


def tta_of(run: LoadedRun) -> Tta:
    """The views in which the run was tested, and in which it sees every image that it judges."""
    return known_tta(run.recipe.get("tta", "none"))


def run_dataset(path: Path) -> Dataset:
    """The data that the run at ``path`` was trained on, as they were opened then.

    DataError where they are no more, or are no longer the same.
    """
    paths = RunPaths(path)
    try:
        text = paths.recipe.read_text(encoding="utf-8")
    except OSError as error:
        raise RunError(f"{paths.recipe}: cannot be read ({error.strerror}); restore it") from error
    info = RunInfo.load(paths.info)
    spec, options = kept_data(info, recipe_from_toml(text, where=str(paths.recipe)), paths.info)
    dataset = open_data(spec, options)
    if dataset.fingerprint != info.data.get("fingerprint"):
        raise DataError(
            f"{spec}: has other images, labels or splits than when {path} was trained; restore them"
        )
    return dataset


def _unmeasured(found: Confidence) -> tuple[str, ...]:
    said: list[str] = []
    if found.calibration is None:
        said.append(f"confidence is not calibrated: {found.why_not}")
    if found.familiar is None:
        said.append(f"no image can be said to be unlike the training data: {found.why_not}")
    return tuple(said)
