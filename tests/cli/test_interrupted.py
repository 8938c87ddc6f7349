"""Ctrl-C and SIGTERM at every stage: exit 130, one line on what is next, no file in halves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Striate = Callable[..., Any]
FIT = (
    *("fit", "--quiet", "--arch", "tiny.toml", "--threads", "1", "--setting", "fp32"),
    *("--batch", "64"),
    *("--epochs", "2", "--out", "run"),
)

BEFORE = "interrupted: stopped before training began; nothing was written\n"
AFTER = "interrupted: stopped; what was done is kept, and --resume run goes on\n"


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def number(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.mark.parametrize("stage", ["reading", "probing", "beginning"])
def test_before_training(striate: Striate, stage: str, number: int) -> None:
    ended = striate(*FIT, stop={"at": stage, "signal": number})
    assert (ended.code, ended.out, ended.err) == (130, "", BEFORE)
    assert ended.left == set()


def test_with_json_there_is_no_document(striate: Striate, number: int) -> None:
    ended = striate(*FIT, "--json", stop={"at": "training", "signal": number, "step": 5})
    assert (ended.code, ended.out) == (130, "")


def test_from_training_on_the_run_is_kept_and_goes_on_to_the_same_bits(
    striate: Striate, tmp_path: Path
) -> None:
    assert striate(*FIT, "--out", "whole").code == 0
    saved = "interrupted: stopped after step {}; the state is saved, and --resume run goes on\n"
    stages = [
        ({"at": "training", "step": 25, "signal": signal.SIGINT}, saved.format(26)),
        ({"at": "training", "step": 37, "signal": signal.SIGTERM}, saved.format(38)),
        ({"at": "evaluating", "signal": signal.SIGTERM}, AFTER),
        ({"at": "reporting", "signal": signal.SIGINT}, AFTER),
    ]
    command = FIT
    for stop, line in stages:
        ended = striate(*command, stop=stop)
        command = ("fit", "--quiet", "--resume", "run")
        assert (ended.code, ended.err) == (130, line)
        assert not [name for name in ended.left if name.endswith(".part")]
        assert not (tmp_path / "run" / "report.html").exists()
    assert striate("fit", "--quiet", "--resume", "run").code == 0
    whole, resumed = tmp_path / "whole", tmp_path / "run"
    for name in ("weights.safetensors", "recipe.toml", "arch.toml", "preprocessing.json"):
        assert (whole / name).read_bytes() == (resumed / name).read_bytes()
    assert _files(whole) == _files(resumed)
    first, second = (json.loads((run / "run.json").read_text()) for run in (whole, resumed))
    for key in ("accuracy", "loss", "ece", "epochs", "setting"):
        assert first["result"][key] == second["result"][key]


def test_after_the_first_signal_a_second_ends_at_once(striate: Striate, tmp_path: Path) -> None:
    # The first is noticed between steps; a second in the same step does not wait for its end.
    ended = striate(*FIT, stop={"at": "twice", "signal": signal.SIGINT, "step": 25})
    assert (ended.code, ended.err) == (130, AFTER)
    assert striate("fit", "--quiet", "--resume", "run").code == 0


def test_other_commands(striate: Striate) -> None:
    ended = striate("trace", "resnet18", stop={"at": "tracing", "signal": signal.SIGINT})
    assert ended.code == 130
    assert ended.err == "interrupted: stopped before it was done; no file is left half-written\n"


def _files(run: Path) -> list[str]:
    """What lies in a run, but for checkpoints, which are named by the steps they were taken at."""
    return sorted(path.name for path in run.iterdir())


def test_before_the_program_has_been_loaded() -> None:
    program = """
import sys


class Impatient:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            raise KeyboardInterrupt


sys.meta_path.insert(0, Impatient())
from striate.cli.start import run
run()
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (130, "interrupted: stopped before it began\n")
