"""Text in 80 columns: nothing wider, nothing cut off; and whole where no width is known."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from striate.checking import rules

Striate = Callable[..., Any]
FIT = (
    *("fit", "--arch", "tiny.toml", "--threads", "1", "--setting", "fp32"),
    *("--batch", "64", "--epochs", "1", "--out", "run"),
)

DEEP = """\
from torch import nn


class ResidualSqueezeBottleneck(nn.Module):
    def __init__(self, inner_projection):
        super().__init__()
        self.residual_inner_projection_branch = inner_projection

    def forward(self, image):
        return image + self.residual_inner_projection_branch(image)


def nested(depth):
    inner = nn.Conv2d(1000, 1000, 3, padding=1, bias=False)
    for _ in range(depth):
        inner = ResidualSqueezeBottleneck(inner)
    return inner


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a_very_descriptive_name_of_the_stem = nn.Conv2d(3, 1000, 7, padding=3)
        self.a_batch_norm_that_follows_a_bias = nn.BatchNorm2d(1000)
        self.a_very_descriptive_name_of_the_body = nested(8)
        self.pool = nn.AdaptiveAvgPool2d((1, 1))
        self.a_very_descriptive_name_of_the_classifier = nn.Linear(1000, 12345)

    def forward(self, image):
        image = self.a_batch_norm_that_follows_a_bias(
            self.a_very_descriptive_name_of_the_stem(image)
        )
        image = self.pool(self.a_very_descriptive_name_of_the_body(image))
        return self.a_very_descriptive_name_of_the_classifier(image.flatten(1))
"""

COMMANDS = (
    ("trace", "resnet152"),
    ("trace", "mlp"),
    ("trace", "vgg16", "--all"),
    ("trace", "deep.py:Net"),
    ("trace", "deep.py:Net", "--all"),
    ("check", "plain56", "mlp"),
    ("check", "deep.py:Net"),
    ("zoo",),
    ("conv",),
    ("conv", "--kernel", "1 -20 300; 4.5 0.001 6; 7 8 9"),
    ("verify", "--list"),
    ("verify", "--only", "luo", "--only", "params/resnet50"),
    ("fit", "--help"),
    ("--help",),
)

CUT = re.compile(r"[^\W\d]…|…[^\W\d]")
"""Where a word was cut; between numbers the sign is a range."""


@pytest.fixture(autouse=True)
def deep(tmp_path: Path) -> None:
    (tmp_path / "deep.py").write_text(DEEP)


def wide(text: str, columns: int) -> list[str]:
    """Lines that are wider and could be wrapped: one word, such as a path, is kept whole."""
    lines = (line.rstrip() for line in text.splitlines())
    return [line for line in lines if len(line) > columns and " " in line.strip()]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("columns", [80, 100])
def test_no_line_is_wider(striate: Striate, command: tuple[str, ...], columns: int) -> None:
    ended = striate(*command, env={"COLUMNS": str(columns)})
    assert ended.code in (0, 1), ended.err
    assert wide(ended.out, columns) == []


@pytest.mark.parametrize("command", COMMANDS[:-2], ids=" ".join)
def test_nothing_is_cut_off_where_no_width_is_known(
    striate: Striate, command: tuple[str, ...]
) -> None:
    whole = striate(*command).out
    assert not CUT.search(whole)
    assert not [line for line in whole.splitlines() if len(line) > 1000]  # nor filled with blanks


@pytest.mark.parametrize(
    "command",
    [
        ("--help",),
        ("trace", "resnet20"),
        ("check", "resnet20"),
        ("zoo",),
        ("cluster", "resnet20", "--speed", "100", "--bandwidth", "1GB/s", "--devices", "1,64"),
        ("runs",),
        ("runs", "runs/a", "runs/b"),
    ],
    ids=" ".join,
)
def test_forty_columns(
    striate: Striate, finished: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    for name in "ab":
        shutil.copytree(finished, tmp_path / "runs" / name)
    ended = striate(*command, env={"COLUMNS": "40"})
    assert ended.code == 0, ended.err
    assert wide(ended.out, 40) == []
    assert not re.search(r"\d…(?!\d)", ended.out)  # rows go on in the next line: no number is cut


def test_numbers_are_whole_and_paths_give_way(striate: Striate) -> None:
    narrow = striate("trace", "deep.py:Net", env={"COLUMNS": "80"}).out
    whole = striate("trace", "deep.py:Net").out
    path = "a_very_descriptive_name_of_the_body" + 8 * ".residual_inner_projection_branch"
    assert path in whole
    assert path not in narrow
    assert CUT.search(narrow)
    for number in ("12.4M", "9.00M", "1000×224×224"):
        assert number in whole
        assert number in narrow


@pytest.mark.parametrize("rule", [rule.code for rule in rules()])
def test_explanations(striate: Striate, rule: str) -> None:
    for environment in ({}, {"COLUMNS": "80"}, {"COLUMNS": "50"}):
        text = striate("check", "--explain", rule, env=environment).out
        assert wide(text, int(environment.get("COLUMNS", "80"))) == []


def test_fit(striate: Striate) -> None:
    narrow = striate(*FIT, env={"COLUMNS": "80"})
    assert narrow.code == 0
    assert wide(narrow.out, 80) == []
    whole = striate(*FIT, "--out", "again")
    assert not CUT.search(whole.out)
    # What is wrapped goes on further in than it began, under its own paragraph.
    lines = narrow.out.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("  SGD with Nesterov"))
    assert lines[first + 1].startswith("    ")


def test_a_path_that_is_wider_than_the_screen_can_be_copied(
    striate: Striate, tmp_path: Path
) -> None:
    long = "/".join(["a-folder-with-a-long-name"] * 5)
    ended = striate(*FIT[:-1], long, env={"COLUMNS": "80"})
    assert f"{long}/report.html" in ended.out.splitlines()[-1]


@pytest.mark.parametrize(
    "command",
    [
        ("conv",),
        ("conv", "--at", "0,0", "--true-convolution"),
        ("conv", "--kernel", "gaussian", "--padding", "1"),
        ("check", "deep.py:Net"),
    ],
    ids=" ".join,
)
def test_as_it_was_seen(striate: Striate, command: tuple[str, ...], snapshot: Any) -> None:
    """Layout alone: what the numbers should be is tested elsewhere."""
    text = striate(*command, env={"COLUMNS": "80"}).out
    assert "\n".join(line.rstrip() for line in text.splitlines()) == snapshot
