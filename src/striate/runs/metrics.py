"""metrics.jsonl: one JSON object a line, appended while training; any tool reads it.

A step's line has ``"kind": "step"`` and the fields of ``StepRecord``, an epoch's ``"epoch"`` and
those of ``EpochRecord``; some steps have a line ``"health"`` before theirs, with the fields of
``WatchedStep``.  On resume the file is cut back to what the checkpoint saw, so it ends as
an uninterrupted run's (but for timings).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from striate.errors import RunError
from striate.records import EpochRecord, StepRecord
from striate.records.health import WatchedStep, WatchedUnits, WatchedWeight
from striate.runs.atomic import writing


class MetricsFile:
    """The open file.  Each record reaches the operating system at once, the disk with ``sync``."""

    def __init__(self, path: Path, *, length: int = 0) -> None:
        """Open ``path`` for appending after its first ``length`` bytes; the rest is cut away.

        ``RunError`` where the file is shorter: records that the checkpoint counts are missing.
        """
        with writing(path):
            self._path = path
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            found = os.fstat(self._handle).st_size
            if found >= length:
                os.ftruncate(self._handle, length)
                os.lseek(self._handle, length, os.SEEK_SET)
        if found < length:
            os.close(self._handle)
            raise RunError(
                f"{path}: holds {found} bytes where the checkpoint counts {length}; restore the "
                "file, or delete the checkpoint folder and --resume to train again from step 1"
            )
        self.length = length

    def append(self, record: StepRecord | EpochRecord | WatchedStep) -> None:
        """Write ``record`` as the next line."""
        kind = _KINDS[type(record)]
        line = (json.dumps({"kind": kind, **asdict(record)}) + "\n").encode()
        with writing(self._path):
            written = os.write(self._handle, line)
            while written < len(line):
                written += os.write(self._handle, line[written:])
        self.length += len(line)

    def cut(self, length: int) -> None:
        """Go back to the first ``length`` bytes."""
        with writing(self._path):
            os.ftruncate(self._handle, length)
            os.lseek(self._handle, length, os.SEEK_SET)
        self.length = length

    def sync(self) -> None:
        """Make everything appended so far durable."""
        with writing(self._path):
            os.fsync(self._handle)

    def close(self) -> None:
        """Close the file; what was appended stays."""
        os.close(self._handle)


def read_metrics(path: Path) -> Iterator[StepRecord | EpochRecord]:
    """The records of ``path`` in order; a last line that was cut is left out.

    ``RunError`` names the line that is none of ours.
    """
    for number, line in enumerate(_lines(path), 1):
        if not line.startswith(_HEALTH):
            yield _record(path, number, line)


def read_watched(path: Path) -> Iterator[WatchedStep]:
    """What was seen of the layers, of the steps in which they were looked at, in order.

    ``RunError`` as ``read_metrics`` raises it.
    """
    for number, line in enumerate(_lines(path), 1):
        if not line.startswith(_HEALTH):
            continue
        try:
            fields = json.loads(line)
            yield WatchedStep(
                epoch=fields["epoch"],
                step=fields["step"],
                weights=tuple(WatchedWeight(**one) for one in fields["weights"]),
                units=tuple(WatchedUnits(**one) for one in fields["units"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path}, line {number}: not a training record ({error})") from error


def read_progress(path: Path) -> tuple[tuple[EpochRecord, ...], StepRecord | None]:
    """The epochs of ``path`` and its last step, of which there may be a million.

    Steps before the last are passed over unread.  ``RunError`` as ``read_metrics`` raises it.
    """
    epochs: list[EpochRecord] = []
    last = None
    for number, line in enumerate(_lines(path), 1):
        if line.startswith(_STEP):
            last = number, line
            continue
        if line.startswith(_HEALTH):
            continue
        record = _record(path, number, line)
        if isinstance(record, EpochRecord):
            epochs.append(record)
    step = None if last is None else _record(path, *last)
    return tuple(epochs), step if isinstance(step, StepRecord) else None


_KINDS = {StepRecord: "step", EpochRecord: "epoch", WatchedStep: "health"}

_STEP, _HEALTH = '{"kind": "step"', '{"kind": "health"'
"""How ``MetricsFile`` begins the line of a step, and of what was seen in one."""


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split("\n")[:-1]  # whole lines end in a line feed
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise RunError(f"{path}: broken (not UTF-8 text at byte {error.start})") from error


def _record(path: Path, number: int, line: str) -> StepRecord | EpochRecord:
    try:
        fields = json.loads(line)
        kind = fields.pop("kind")
        return StepRecord(**fields) if kind == "step" else EpochRecord(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path}, line {number}: not a training record ({error})") from error
