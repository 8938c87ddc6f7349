"""``--batch auto``, and a training whose memory runs out, as a user meets them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from striate.training import load_recipe

Striate = Callable[..., Any]

FEW = ("--arch", "tiny.toml", "--epochs", "1", "--threads", "1", "--setting", "fp32")

GREEDY = """\
import torch
from torch import nn


class Greedy(nn.Module):
    \"\"\"Asks for a petabyte from the given call in training on.\"\"\"

    def __init__(self, at):
        super().__init__()
        self.at, self.calls = at, 0
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        if self.training and x.device.type == "cpu":
            self.calls += 1
            if self.calls >= self.at:
                torch.empty(1 << 50)
        return self.linear(x.flatten(1))


def at_once():
    return Greedy(1)


def later():
    return Greedy(45)  # more calls than the probe makes
"""


def test_auto_says_why_and_is_frozen(striate: Striate, tmp_path: Path) -> None:
    ended = striate("fit", *FEW, "--batch", "auto", "--out", "run")
    assert ended.code == 0, ended.err
    said = " ".join(ended.out.split())
    assert "Batches of up to 32 fit: a step takes " in said
    assert "of which a fifth is left alone." in said
    assert load_recipe(tmp_path / "run/recipe.toml").batch_size == 32


@pytest.mark.parametrize("batch", ["many", "0", "-3", "1.5"])
def test_what_is_no_batch(striate: Striate, batch: str) -> None:
    said = striate("fit", "--batch", batch).error
    assert said.startswith(f"--batch {batch}: must be ")


def test_before_training(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(GREEDY)
    ended = striate("fit", "--arch", "net.py:at_once", "--epochs", "1", "--batch", "64")
    assert ended.error.startswith("out of memory on cpu with batches of 64: a step takes about ")
    assert ended.error.endswith("--batch 32, which would fit")
    assert not any(name.startswith("run") for name in ended.left)


def test_in_the_middle(striate: Striate, tmp_path: Path) -> None:
    """What was saved before is kept, and the line says how to go on."""
    (tmp_path / "net.py").write_text(GREEDY)
    ended = striate(
        *("fit", "--arch", "net.py:later", "--epochs", "3", "--batch", "64", "--threads", "1"),
        *("--setting", "fp32", "--quiet", "--out", "run"),
    )
    said = ended.error
    assert said.startswith("out of memory on cpu with batches of 64: a step takes about ")
    assert said.endswith(
        "; start anew with --batch 32, which would fit, or --resume run once more is free"
    )
    names = [path.name for path in (tmp_path / "run/checkpoint").iterdir()]
    assert sorted(names) == ["step-000000020.safetensors", "step-000000040.safetensors"]
    assert striate("fit", "--resume", "run", "--quiet").code == 0
