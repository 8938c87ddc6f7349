"""What a training writes into its run's folder between steps; of several processes, the first."""

from __future__ import annotations

from collections.abc import Iterator

from striate.data import Dataset
from striate.errors import Interrupted, OutputError, RunError
from striate.runs import MetricsFile, RunFolder, RunInfo, save_checkpoint, versions
from striate.training.notice import Notice
from striate.training.processes import NoMetrics
from striate.training.state import TrainingState


def metrics_of(folder: RunFolder, length: int) -> MetricsFile | NoMetrics:
    """metrics.jsonl, cut to ``length`` bytes."""
    return MetricsFile(folder.paths.metrics, length=length) if folder.writes else NoMetrics()


def same_ground(folder: RunFolder, dataset: Dataset) -> Iterator[Notice]:
    """``RunError`` where the data are other than the run's; a notice where versions are."""
    info = RunInfo.load(folder.paths.info)
    known = info.data.get("fingerprint")
    if known != dataset.fingerprint:
        raise RunError(
            f"{folder.path}: was started on other data (fingerprint {known}, now "
            f"{dataset.fingerprint}); give it the same images, or start anew with another --out"
        )
    now = versions()
    for name, then in info.versions.items():
        if now.get(name) != then:
            yield Notice(
                text=f"the run was started with {name} {then} and goes on with {now.get(name)}: "
                "its bits may differ from an uninterrupted run's"
            )


def save_state(state: TrainingState, metrics: MetricsFile | NoMetrics, folder: RunFolder) -> None:
    """Write a checkpoint; the records that it counts reach the disk first."""
    if not folder.writes:
        return
    try:
        metrics.sync()
        checkpoint = state.checkpoint(metrics.length)
        save_checkpoint(folder.paths.checkpoints, checkpoint, keep=state.anchor)
    except OutputError as error:
        raise OutputError(
            f"{error}; once there is room, --resume {folder.path} goes on with what was saved "
            "before"
        ) from error


def interrupted(
    state: TrainingState, metrics: MetricsFile | NoMetrics, folder: RunFolder
) -> Interrupted:
    """Save, and say where and how to go on; of several processes the first says it."""
    if not folder.writes:
        return Interrupted("")
    save_state(state, metrics, folder)
    return Interrupted(
        f"stopped after step {state.step}; the state is saved, and --resume {folder.path} goes on"
    )
