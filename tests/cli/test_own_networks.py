"""A user's own ``file.py:Net``: what it raises is one line, what it prints stays off stdout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Striate = Callable[..., Any]
FIT = ("fit", "--quiet", "--epochs", "1", "--threads", "1", "--setting", "fp32", "--out", "run")

NETS = """\
import sys

import torch
from torch import nn


class Good(nn.Sequential):
    def __init__(self, classes=10, channels=1):
        super().__init__(
            nn.Conv2d(channels, 8, 3), nn.ReLU(), nn.Dropout(0.2), nn.Conv2d(8, 8, 3),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes),
        )


def five():
    return Good(classes=5)


def colour():
    return Good(channels=3)


class InInit(nn.Module):
    def __init__(self):
        raise ValueError("two\\nlines")


class InForward(Good):
    def forward(self, image):
        raise KeyError("missing")


class InTraining(Good):
    def forward(self, image):
        if self.training:
            raise RuntimeError("only when it trains")
        return super().forward(image)


def boom(gradient):
    raise RuntimeError("only backwards")


class InBackward(Good):
    def forward(self, image):
        logits = super().forward(image)
        if logits.requires_grad:
            logits.register_hook(boom)
        return logits


class InEvaluation(Good):
    def forward(self, image):
        if not self.training and image.is_cpu:
            raise RuntimeError("only when it is judged")
        return super().forward(image)


class Leaves(nn.Module):
    def __init__(self):
        sys.exit(0)


class LeavesLate(Good):
    def forward(self, image):
        sys.exit("bye")


class Mismatch(Good):
    def __init__(self):
        super().__init__()
        self[6] = nn.Linear(9, 10)


class Groups(Good):
    def __init__(self):
        super().__init__()
        self[1] = nn.GroupNorm(7, 32)


class WithArguments(nn.Module):
    def __init__(self, width):
        super().__init__()


class Dictionary(Good):
    def forward(self, image):
        return {"scores": super().forward(image)}


class Talkative(Good):
    def __init__(self):
        super().__init__()
        print("made")

    def forward(self, image):
        print("called")
        return super().forward(image)


class Lazy(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.LazyConv2d(8, 3), nn.LazyBatchNorm2d(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.LazyLinear(10),
        )


class SingleValue(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 8, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(8), nn.Flatten(),
            nn.Linear(8, 10),
        )


instance = Good()
number = 3
"""


@pytest.fixture(autouse=True)
def nets(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text(NETS)
    return tmp_path / "nets.py"


def line_of(nets: Path, text: str) -> str:
    """``file:line`` of a line of ``nets.py``."""
    number = next(n for n, line in enumerate(nets.read_text().splitlines(), 1) if text in line)
    return f"{nets}:{number}"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("InInit", "nets.py:InInit: raised ValueError at {two}: two lines"),
        (
            "Groups",
            "{groups}: num_channels (32) must be divisible by num_groups (7); num_groups=4 or 8",
        ),
        ("InForward", "InForward cannot take 1x8x8 images: forward: KeyError: 'missing'"),
        ("InTraining", "InTraining: raised RuntimeError at {trains}: only when it trains"),
        ("InBackward", "InBackward: raised RuntimeError at {backwards}: only backwards"),
        ("Leaves", "nets.py:Leaves: raised SystemExit at {exit}: 0"),
        ("LeavesLate", "LeavesLate: raised SystemExit at {bye}: bye"),
        ("Mismatch", "Mismatch cannot take 1x8x8 images: 6: takes 9 features"),
        ("WithArguments", "nets.py:WithArguments: is called without arguments, and that fails"),
        ("colour", "0 takes 3 channels, and the image 1x8x8 has 1"),
        ("five", "of 10 classes; its last layer must give"),
        ("Dictionary", "returns a dict; training needs a tensor of shape (N, 10)"),
        ("number", "int is neither an nn.Module nor something that makes one"),
        ("Goood", "nets.py has no 'Goood'; did you mean Good?"),
    ],
)
def test_a_network_that_cannot_be_trained(
    striate: Striate, nets: Path, name: str, error: str
) -> None:
    ended = striate(*FIT, "--arch", f"nets.py:{name}")
    places = {
        "two": line_of(nets, "two"),
        "groups": line_of(nets, "GroupNorm"),
        "trains": line_of(nets, "when it trains"),
        "backwards": line_of(nets, "only backwards"),
        "exit": line_of(nets, "sys.exit(0)"),
        "bye": line_of(nets, "bye"),
    }
    assert error.format(**places) in ended.error
    assert ended.left == set()


def test_a_network_that_fails_when_it_is_judged_keeps_its_run(striate: Striate) -> None:
    ended = striate(*FIT, "--arch", "nets.py:InEvaluation")
    assert "InEvaluation: raised RuntimeError at" in ended.error
    assert "run/run.json" in ended.left


def test_a_norm_over_a_single_value(striate: Striate) -> None:
    ended = striate(*FIT, "--arch", "nets.py:SingleValue", "--batch", "1")
    assert "Expected more than 1 value per channel when training" in ended.error


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import absent_library\n", "raised ModuleNotFoundError at {file}:1: No module named"),
        ("def broken(:\n", "raised SyntaxError at {file}:1: invalid syntax"),
        ("\nraise SystemExit(0)\n", "raised SystemExit at {file}:2: 0"),
        ("1 / 0\n", "raised ZeroDivisionError at {file}:1: division by zero"),
        ("Net = None\n", "mine.py has no 'Net'"),
    ],
)
@pytest.mark.parametrize("command", ["trace", "check"])
def test_a_file_that_cannot_be_imported(
    striate: Striate, tmp_path: Path, command: str, text: str, error: str
) -> None:
    (tmp_path / "mine.py").write_text(text)
    ended = striate(command, "mine.py:Net")
    assert error.format(file=tmp_path / "mine.py") in ended.error


def test_the_layers_before_a_failure_are_shown(striate: Striate, nets: Path) -> None:
    ended = striate("trace", "nets.py:Mismatch", "--image", "1x8x8", "--json")
    assert "error: nets.py:Mismatch: stopped at 6 (linear" in ended.err.splitlines()[-1]
    assert ended.code == 2
    document = json.loads(ended.out)
    assert document["complete"] is False
    assert document["failure"]["path"] == "6"
    assert document["layers"][-1]["path"] == "5"


def test_what_a_network_prints_stays_off_stdout(striate: Striate) -> None:
    ended = striate(*FIT, "--arch", "nets.py:Talkative", "--json")
    assert ended.code == 0
    assert "made" in ended.err
    assert "called" in ended.err
    assert ended.out.count("\n") == 1
    assert json.loads(ended.out)["arch"] == "Talkative"


@pytest.mark.parametrize("name", ["Good", "Lazy", "instance"])
def test_an_own_network_is_trained_stopped_and_resumed(
    striate: Striate, tmp_path: Path, name: str
) -> None:
    target = ("--arch", f"nets.py:{name}", "--epochs", "2", "--batch", "64")
    assert striate(*FIT, *target, "--out", "whole").code == 0
    stopped = striate(*FIT, *target, stop={"at": "training", "signal": 2, "step": 25})
    assert stopped.code == 130
    assert striate("fit", "--quiet", "--resume", "run").code == 0
    whole, resumed = ((tmp_path / run / "weights.safetensors") for run in ("whole", "run"))
    assert whole.read_bytes() == resumed.read_bytes()


def test_a_changed_source_is_said_on_resume(striate: Striate, nets: Path) -> None:
    striate(*FIT, "--arch", "nets.py:Good", stop={"at": "training", "signal": 2, "step": 5})
    nets.write_text(NETS.replace("Dropout(0.2)", "Dropout(0.3)"))
    ended = striate("fit", "--resume", "run")
    assert ended.code == 0
    assert "nets.py:Good: its source has changed since the run was started" in ended.err


def test_a_removed_source_is_an_error_on_resume(striate: Striate, nets: Path) -> None:
    striate(*FIT, "--arch", "nets.py:Good", stop={"at": "training", "signal": 2, "step": 5})
    nets.unlink()
    assert striate("fit", "--quiet", "--resume", "run").error == f"{nets}: no such file"
