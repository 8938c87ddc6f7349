"""``striate sweep`` as a user types it: the list, the training, Ctrl-C, the same command again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Striate = Callable[..., Any]
EPOCHS = 100
"""Long enough that a busy machine does not finish before it is stopped."""
LISTENS = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from striate.cli.start import run
run()
"""
"""``python -m striate``, listening to Ctrl-C even where the tests run in a shell's background, in
which all is started deaf to it.
"""
SWEEP = (
    *("sweep", "digits", "--arch", "tiny.toml", "--axis", "width=4,8", "--seeds", "0"),
    *("--epochs", str(EPOCHS), "--batch", "64", "--setting", "fp32", "--threads", "1"),
    *("--share", "0.3", "--out", "swept"),
)


def test_a_dry_run_lists_the_designs_and_writes_nothing(striate: Striate) -> None:
    ended = striate(*SWEEP, "--dry-run", env={"COLUMNS": "80"})
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert any(line.split()[:2] == ["width4", "1×8×8"] for line in lines)
    assert f"Plan  2 designs × 1 seed = 2 trainings of {EPOCHS} epochs" in ended.out
    assert max(map(len, lines)) <= 80
    assert ended.left == set()
    document = json.loads(striate(*SWEEP, "--dry-run", "--json").out)
    assert [point["name"] for point in document["points"]] == ["tiny-width4", "tiny-width8"]
    assert all(run["state"] == "waiting" for point in document["points"] for run in point["runs"])


def _steps(folder: Path) -> list[int]:
    records = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [record["step"] for record in records if record["kind"] == "step"]


def test_stopped_and_the_same_command_again(striate: Striate, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENS, *SWEEP],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "80"},
    )
    runs = tmp_path / "swept" / "runs"
    while process.poll() is None and not list(runs.glob("*/checkpoint/*.safetensors")):
        time.sleep(0.05)  # until an epoch is done
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=400)
    said = "interrupted: stopped; what was trained is kept in swept, and the same command goes on"
    assert (process.returncode, err.strip().splitlines()[-1:]) == (130, [said])
    assert (tmp_path / "swept" / "sweep.html").exists()
    assert list((tmp_path / "swept" / "workers").iterdir()) == []

    begun = {path.parent.name for path in runs.glob("*/run.json")}
    ended = striate(*SWEEP, "--json")
    assert ended.code == 0, ended.err
    if any("finished" not in (runs / name / "run.json").read_text() for name in begun):
        assert "go on" in ended.err
    document = json.loads(ended.out)
    assert document["front"]["macs"]
    assert document["judge"] == "validation"
    for point in document["points"]:
        (run,) = point["runs"]
        assert run["state"] == "finished"
        kept = json.loads((Path(run["run"]) / "run.json").read_text())["result"]
        assert run["accuracy"] == kept["accuracy"]
        assert point["accuracy"] == {"mean": run["accuracy"], "standard_error": None, "n": 1}
        assert point["latency"] > 0
        assert _steps(Path(run["run"])) == list(range(1, EPOCHS * 6 + 1))
    assert json.loads((tmp_path / "swept" / "sweep.json").read_text())["points"]

    times = {path: path.stat().st_mtime_ns for path in runs.rglob("*")}
    again = striate(*SWEEP, env={"COLUMNS": "80"})
    assert again.code == 0, again.err
    assert "2 of the trainings are done already" in again.out
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*")} == times
    more = striate(*SWEEP, "--quiet", "--axis", "depth=x1")
    assert "swept was begun with axes width, and now they are depth, width" in more.error


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--axis", "depht=1"), "--axis depht: no such axis; did you mean depth?"),
        (("--axis", "heads=2"), "tiny has no such axis, its blocks (basic) have no heads"),
        (("--storage", "mysql://a/b"), "is neither postgresql://USER@HOST/DATABASE nor"),
        (("--seeds", "two"), "--seeds two: not seeds; write 0:2, or 0,1,2"),
        (("--out", "tiny.toml"), "tiny.toml: is a file, not a folder; choose another --out"),
        (("--out", "."), "holds something else than a sweep; choose another --out"),
    ],
)
def test_wrong_inputs_are_one_line(striate: Striate, more: tuple[str, ...], said: str) -> None:
    ended = striate(*SWEEP, "--quiet", *more)
    assert said in ended.error
    assert ended.left == set()


def test_a_storage_that_does_not_answer(striate: Striate) -> None:
    address = f"postgresql://me:secret@127.0.0.1:{_closed_port()}/sweeps"
    ended = striate(*SWEEP, "--quiet", "--storage", address)
    assert "does not answer" in ended.error
    assert "secret" not in ended.error
    assert ended.left == set()


def test_data_that_are_missing(striate: Striate) -> None:
    assert "Missing argument 'DATA'" in striate("sweep").error
    assert "'nowhere' is neither built in" in striate("sweep", "nowhere", *SWEEP[2:]).error
