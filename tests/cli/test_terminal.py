"""In a terminal: colours, a bar that goes away, example images where they can be shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

Striate = Callable[..., Any]
FIT = (
    *("fit", "--arch", "tiny.toml", "--threads", "1", "--setting", "fp32"),
    *("--batch", "64", "--epochs", "2", "--out", "run"),
)
COLOURS = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def plain(text: str) -> str:
    """Text without escape sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def screen(text: str, columns: int) -> list[str]:
    """The lines that a terminal shows in the end: what was overwritten or erased is gone."""
    lines: list[list[str]] = [[]]
    row = column = 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[^\x1b]", text):
        while row >= len(lines):
            lines.append([])
        if part == "\n":
            row += 1
        elif part == "\r":
            column = 0
        elif part[0] != "\x1b":
            if column == columns:  # the terminal wraps
                row, column = row + 1, 0
                while row >= len(lines):
                    lines.append([])
            lines[row] += [" "] * (column + 1 - len(lines[row]))
            lines[row][column] = part
            column += 1
        elif part[-1] == "A":
            row -= int(part[2:-1] or 1)
        elif part == "\x1b[2K":
            lines[row] = []
    return ["".join(line).rstrip() for line in lines]


@pytest.mark.parametrize("columns", [80, 60])
def test_what_is_left_on_the_screen(striate: Striate, columns: int) -> None:
    ended = striate(*FIT, columns=columns, env=COLOURS)
    assert ended.code == 0
    left = screen(ended.out, columns)
    text = "\n".join(left)
    for heading in ("Data  digits", "Network  tiny", "Check", "Recipe", "Training", "Test"):
        assert any(line.startswith(heading) for line in left)
    assert "━" not in text, "the bar goes away"
    assert "▁" not in text, "and so do the curves"
    for passing in ("reading images", "measuring", "looking inside", "loading PyTorch"):
        assert passing not in text
    assert left[-2:] == ["Report  run/report.html", ""]


def test_the_bar_shows_how_far_it_is(striate: Striate) -> None:
    shown = plain(striate(*FIT, columns=80, env=COLOURS).out)
    bar = re.compile(r"epoch \d/2 · step \d+ of 40 · [\d,]+ images/s [━╸╺ ]+(\d+|-):(\d\d|--) left")
    assert bar.search(shown)
    curves = re.compile(r"loss \d\.\d{3} [▁▂▃▄▅▆▇█]+  acc \d+\.\d% [▁▂▃▄▅▆▇█]+")
    assert curves.search(shown)
    assert re.search(r"acc \S+ \S+  val \d+\.\d% [▁▂▃▄▅▆▇█]", shown)
    for passing in ("loading PyTorch", "measuring the numeric settings", "looking inside"):
        assert passing in shown


@pytest.mark.parametrize(
    ("env", "shown"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, True),
        ({"TERM": "xterm-256color", "COLORTERM": ""}, True),
        ({"TERM": "xterm-16color", "COLORTERM": ""}, False),
        ({"TERM": "dumb", "COLORTERM": ""}, False),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, False),
    ],
)
def test_example_images_where_there_are_colours_for_them(
    striate: Striate, env: dict[str, str], shown: bool
) -> None:
    ended = striate(*FIT, columns=80, env=env, stop={"at": "probing", "signal": 15})
    rows = [line for line in ended.out.splitlines() if "▀" in line]
    assert len(rows) == (4 if shown else 0)  # eight pixels high, two to a cell
    for row in rows:
        assert plain(row).startswith("  ▀▀▀▀▀▀▀▀ ▀▀▀▀▀▀▀▀ ")
        assert ";48;" in row
    assert len({plain(row) for row in rows}) <= 1


def test_no_images_and_no_colours_without_a_terminal(striate: Striate) -> None:
    ended = striate(*FIT, stop={"at": "probing", "signal": 15}, env=COLOURS)
    assert "▀" not in ended.out
    assert "\x1b" not in ended.out + ended.err


def test_quiet_shows_no_bar(striate: Striate) -> None:
    ended = striate(*FIT, "--quiet", columns=80, env=COLOURS)
    assert "━" not in ended.out
    assert [line for line in screen(ended.out, 80) if line][-1] == "Report  run/report.html"


def test_a_resumed_run_times_itself_from_where_it_goes_on(striate: Striate) -> None:
    stop = {"at": "training", "signal": 2, "step": 30}
    assert striate(*FIT, stop=stop).code == 130
    shown = plain(striate("fit", "--resume", "run", columns=80, env=COLOURS).out)
    assert "Training goes on  2 epochs" in shown
    assert "epoch 2/2 · " in shown
    assert "epoch 1/2 · " not in shown


def test_ctrl_c_leaves_a_clean_screen(striate: Striate) -> None:
    ended = striate(*FIT, columns=80, env=COLOURS, stop={"at": "training", "signal": 2, "step": 9})
    assert ended.code == 130
    left = screen(ended.out, 80)
    assert "━" not in "\n".join(left)
    line = "interrupted: stopped after step 10; the state is saved, and --resume run goes on"
    assert "".join(left[-3:]).endswith(line)
    assert ended.out.rstrip().endswith("goes on")
    assert "\x1b[?25h" in ended.out, "the cursor is shown again"
