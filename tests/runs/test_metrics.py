"""metrics.jsonl: appended, cut back, read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from striate.errors import RunError
from striate.records import EpochRecord, StepRecord
from striate.runs import MetricsFile, read_metrics

STEP = StepRecord(epoch=1, step=1, steps=9, images=4, loss=2.5, accuracy=0.25, lr=0.1, seconds=0.01)
EPOCH = EpochRecord(
    epoch=1, epochs=3, step=3, train_loss=2.0, train_accuracy=0.5, val_loss=None,
    val_accuracy=None, best=True, seconds=1.0, images_per_second=12.0,
)  # fmt: skip


def test_records_come_back_and_each_line_is_json(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    file = MetricsFile(path)
    file.append(STEP)
    file.append(EPOCH)
    file.sync()
    file.close()
    assert list(read_metrics(path)) == [STEP, EPOCH]
    kinds = [json.loads(line)["kind"] for line in path.read_text().splitlines()]
    assert kinds == ["step", "epoch"]
    assert file.length == path.stat().st_size


def test_cut_back_to_what_the_checkpoint_counts(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    file = MetricsFile(path)
    file.append(STEP)
    length = file.length
    file.append(STEP)
    file.append(EPOCH)
    file.close()
    path.write_bytes(path.read_bytes()[:-3])  # and the last line is torn
    assert list(read_metrics(path)) == [STEP, STEP]
    file = MetricsFile(path, length=length)
    file.append(EPOCH)
    file.close()
    assert list(read_metrics(path)) == [STEP, EPOCH]


def test_records_that_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with pytest.raises(RunError, match="holds 0 bytes where the checkpoint counts 10"):
        MetricsFile(path, length=10)


def test_a_line_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"kind": "step"}\n')
    with pytest.raises(RunError, match="line 1: not a training record"):
        list(read_metrics(path))
    with pytest.raises(RunError, match="cannot be read"):
        list(read_metrics(tmp_path / "none"))
