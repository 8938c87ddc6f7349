"""Runs' metrics as TensorBoard's event files, made from metrics.jsonl (extra ``log``).

Nothing is written while training: a conversion works for every run there ever was, and neither the
training loop nor its resume knows of TensorBoard (docs/decisions/0019-tensorboard.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from striate.errors import InputError, OutputError
from striate.records import EpochRecord, StepRecord
from striate.records.run_list import ListedRun
from striate.runs import RunPaths, read_metrics, read_watched
from striate.runs.atomic import writing

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def write_events(runs: Sequence[ListedRun], folder: Path) -> Iterator[Path]:
    """Write ``folder/NAME`` for each run that has metrics; an older conversion is replaced.

    Steps: ``loss/train`` (of a batch), ``accuracy/train``, ``rate/lr``.  Epochs, at their last
    step: ``loss/validation``, ``accuracy/validation``, ``speed/images_per_second``.  Times are
    those of the run: it ended when its metrics were last written.  ``InputError`` where TensorBoard
    is not installed or nothing could be written, ``OutputError`` where ``folder/NAME`` holds
    anything else, ``RunError`` where metrics are broken.
    """
    refuse_events(folder)
    from torch.utils.tensorboard import SummaryWriter

    shown = [
        run for run in runs if run.state != "broken" and RunPaths(Path(run.run)).metrics.exists()
    ]
    if not shown:
        raise InputError(f"--tensorboard {folder}: none of the runs has metrics yet")
    for run in shown:
        place = folder / run.name.lstrip("/")
        old = _old_events(place)
        try:
            with writing(place):
                place.mkdir(parents=True, exist_ok=True)
                with SummaryWriter(log_dir=str(place)) as writer:
                    _write(writer, run)
                for path in old:
                    path.unlink(missing_ok=True)
        except OutputError as error:
            raise OutputError(str(error).replace("--out", "--tensorboard")) from error
        yield place


def refuse_events(folder: Path) -> None:
    """Say at once what would keep ``write_events`` from writing into ``folder``."""
    try:
        import_module("torch.utils.tensorboard")
    except ImportError as error:
        raise InputError(
            f"--tensorboard {folder}: TensorBoard is not installed; pip install 'striate[log]'"
        ) from error
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"--tensorboard {folder}: is a file; name a folder")


def _old_events(place: Path) -> list[Path]:
    """The event files that a conversion left in ``place``."""
    if not place.exists():
        return []
    if not place.is_dir():
        raise OutputError(f"{place}: is a file, not a folder; choose another --tensorboard")
    inside = list(place.iterdir())
    other = [path for path in inside if not path.name.startswith("events.out.tfevents.")]
    files = [path for path in other if not path.is_dir()]  # folders are other runs'
    if files:
        raise OutputError(
            f"{place}: holds {files[0].name}, which TensorBoard did not write; choose another "
            "--tensorboard"
        )
    return [path for path in inside if path not in other]


def _write(writer: SummaryWriter, run: ListedRun) -> None:
    paths = RunPaths(Path(run.run))
    records = list(read_metrics(paths.metrics))
    seconds = sum(record.seconds for record in records if isinstance(record, EpochRecord))
    ended = run.when or 0.0
    for path in (paths.recipe, paths.arch):
        if path.exists():
            # Indented, it is code to the Markdown in which TensorBoard shows text.
            lines = path.read_text(encoding="utf-8").splitlines()
            text = "\n".join(f"    {line}" for line in lines)
            writer.add_text(path.name, text, 0, walltime=ended - seconds)
    times: dict[int, float] = {}
    before = within = 0.0  # seconds of epochs that have ended, and of the steps of this one
    for record in records:
        if isinstance(record, EpochRecord):
            before, within = before + record.seconds, 0.0
            scalars = {
                "loss/validation": record.val_loss,
                "accuracy/validation": record.val_accuracy,
                "speed/images_per_second": record.images_per_second,
            }
        else:
            within += record.seconds
            scalars = {
                "loss/train": record.loss,
                "accuracy/train": record.accuracy,
                "rate/lr": record.lr,
            }
        at = ended - seconds + before + within
        for name, value in scalars.items():
            if value is not None:
                writer.add_scalar(name, value, record.step, walltime=at)  # pyright: ignore[reportUnknownMemberType]  (torch leaves it untyped)
        if isinstance(record, StepRecord):
            times[record.step] = at
    for seen in read_watched(paths.metrics):
        at = times.get(seen.step, ended)
        for weight in seen.weights:
            for name, value in (("gradient", weight.gradient), ("update", weight.update)):
                if value is not None:
                    writer.add_scalar(f"{name}/{weight.parameter}", value, seen.step, walltime=at)  # pyright: ignore[reportUnknownMemberType]  (as above)
        for unit in seen.units:
            share = (unit.dead + unit.saturated) / unit.channels
            writer.add_scalar(f"dead_or_saturated/{unit.path}", share, seen.step, walltime=at)  # pyright: ignore[reportUnknownMemberType]  (as above)
