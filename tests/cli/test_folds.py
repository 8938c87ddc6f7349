"""``striate fit --folds`` as a user runs it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FAST = ("--arch", "tiny.toml", "--threads", "1", "--setting", "fp32")
Striate = Callable[..., Any]
FIT = ("fit", "digits", *FAST, "--epochs", "1", "--batch", "128", "--folds", "2", "--out", "cv")


def test_stopped_gone_on_and_told(striate: Striate, tmp_path: Path) -> None:
    ended = striate(*FIT, stop={"at": "training", "signal": signal.SIGINT, "step": 2})
    assert ended.code == 130
    assert "--resume cv goes on" in ended.err
    ended = striate("fit", "--resume", "cv", env={"COLUMNS": "80"})
    assert ended.code == 0, ended.err
    assert "Fold 2 of 2" in ended.out
    table = ended.out[ended.out.index("\nfold ") + 1 :].splitlines()
    assert table[0].split("  ")[0] == "fold"
    assert [row.split()[0] for row in table[1:5]] == ["1", "2", "mean", "deviation"]
    assert all(len(line) <= 80 for line in table)
    ended = striate("fit", "--resume", "cv", "--json", "--quiet")
    document = json.loads(ended.out)
    assert ended.err == ""
    assert document["striate"] == 1
    assert [fold["fold"] for fold in document["folds"]] == [1, 2]
    shown = table[3].split()
    assert shown[1] == f"{document['mean']['val_accuracy']:.2%}"
    assert shown[-1] == f"{document['mean']['ece']:.2%}"
    assert table[4].split()[3] == f"{document['deviation']['accuracy']:.2%}"
    kept = json.loads((tmp_path / "cv" / "folds.json").read_text())
    assert kept["mean"] == document["mean"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("--folds 1", "--folds 1: must be at least 2"),
        ("--val 0.1", "--folds 2 with --val 0.1: each fold is validated on its own part"),
        ("--procs 2", "--folds 2 with several processes: each fold is trained by one; leave"),
        ("--folds 200", "digits: class '8' has 139 different images outside the test split, and"),
        ("--resume run", "--resume run: the run goes on with its own data, network and settings"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(striate: Striate, more: str, says: str) -> None:
    ended = striate(*FIT, "--quiet", *more.split())
    assert ended.error.startswith(says)
    assert not ended.left
