"""``striate trace --reconcile``: each tool's total, what it counts otherwise, and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from striate.cli.trace_reconcile import signed

Striate = Callable[..., Any]

NET = """\
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention as attention


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, stride=4)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        print("noise")
        x = self.stem(x).flatten(2).transpose(1, 2).contiguous()[:, None]
        return self.fc(attention(x, x, x))
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(NET)
    return path


def test_a_total_is_taken_apart(striate: Striate, net: Path) -> None:
    done = striate(
        "trace", "net.py:Net", "--image", "3x16x16", "--reconcile", "torch", env={"COLUMNS": "80"}
    )
    assert done.code == 0, done.err
    lines = [line for line in done.out.splitlines() if line != "noise"]
    assert lines[0] == "net.py:Net at 3×16×16: 11.5k MACs (11,520)"
    assert "7.42k, −36 % (-4,096) (FLOPs, halved here), all of it explained" in " ".join(
        " ".join(lines[1:4]).split()
    )
    assert "−4.10k  attention: has no formula for" in done.out
    assert max(map(len, lines)) <= 80


def test_the_document_is_alone_on_stdout(striate: Striate, net: Path, tmp_path: Path) -> None:
    asked = ("trace", "net.py:Net", "--image", "3x16x16", "--reconcile", "torch", "--json")
    document = json.loads(striate(*asked).out)
    (tool,) = document["reconcile"]
    assert document["totals"] == {"macs": 11520}
    assert (tool["total"], tool["ours"], tool["unexplained"]) == (7424, 11520, 0)
    assert tool["difference"] == sum(one["difference"] for one in tool["explained"]) == -4096
    striate(*asked, "--out", "why.json")
    assert json.loads((tmp_path / "why.json").read_text()) == document


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--reconcile", "fvcor"), "--reconcile fvcor: no tool of that name; did you mean fvcore?"),
        (("--reconcile", ","), "--reconcile ',': names no tool; choose from torchinfo"),
        (
            ("--reconcile", "torch", "--sweep", "16:32"),
            "--sweep and --reconcile: two questions; ask them one after the other",
        ),
        (
            ("--reconcile", "torch", "--depth", "1"),
            "--depth: is for the layer table and does not go with --reconcile",
        ),
        (
            ("--reconcile", "torch", "--format", "csv"),
            "--format csv: does not go with --reconcile; choose from table, json",
        ),
    ],
)
def test_wrong_questions(striate: Striate, options: tuple[str, ...], message: str) -> None:
    assert striate("trace", "resnet20", *options).error.startswith(message)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "+0"), (10_600, "+10.6k"), (-178_831_872, "−179M")]
)
def test_differences_have_their_sign(value: int, text: str) -> None:
    assert signed(value) == text
