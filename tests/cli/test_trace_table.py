"""``striate trace``: the table, its columns, its orders, its formats, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Striate = Callable[..., Any]

DEEP = """\
name = "deep"
image = [3, 64, 64]
classes = 10

[stem]
width = 16

[[stages]]
block = "basic"
depth = 40
width = 16

[[stages]]
block = "bottleneck"
depth = 60
width = 64
stride = 2
"""

BROKEN = """\
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3), nn.Conv2d(9, 8, 3))


class Long(nn.Sequential):
    def __init__(self):
        super().__init__(*(nn.Conv2d(3 + n, 4 + n, 3, padding=1) for n in range(150)))
"""


def test_a_table_of_a_hundred_blocks_is_a_screen(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "deep.toml").write_text(DEEP)
    done = striate("trace", "deep.toml", env={"COLUMNS": "80"})
    lines = done.out.splitlines()
    assert len(lines) < 30
    assert max(map(len, lines)) <= 80
    assert any("blocks.0–39 ×40" in line for line in lines)
    assert "×N: N alike in a row; numbers are of one" in done.out


def test_a_long_table_says_where_it_is_folded(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        BROKEN
        + "\n\nclass Many(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        + "        self.parts = nn.ModuleList(Long() for _ in range(2))\n"
        + "    def forward(self, x):\n"
        + "        return self.parts[0](x)\n"
    )
    done = striate("trace", "net.py:Many", "--image", "3x8x8")
    assert "modules 2 deep are one row each; --depth shows more or less, --all everything" in (
        " ".join(done.out.split())
    )
    assert len(done.out.splitlines()) < 10
    every = striate("trace", "net.py:Many", "--image", "3x8x8", "--all")
    assert len(every.out.splitlines()) > 150


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_in_a_terminal_headings_are_bold_and_lines_fit(striate: Striate, columns: int) -> None:
    done = striate("trace", "resnet18", columns=columns)
    assert done.code == 0
    assert "\x1b[1m" in done.out
    if columns >= 80:
        plain = __import__("re").sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", done.out)
        assert max(len(line.rstrip("\r")) for line in plain.split("\n")) <= columns


def test_depth(striate: Striate) -> None:
    done = striate("trace", "resnet18", "--depth", "1")
    assert [line.split()[0] for line in done.out.splitlines()[1:5]] == [
        "image", "stem", "stages", "head",
    ]  # fmt: skip


def test_columns_and_order(striate: Striate) -> None:
    done = striate("trace", "resnet20", "--columns", "path,macs", "--sort", "macs", "--all")
    lines = done.out.splitlines()
    assert lines[0].split() == ["layer", "MACs"]
    assert lines[1].endswith("2.36M")


def test_csv_and_markdown_are_all_that_is_on_stdout(striate: Striate) -> None:
    done = striate("trace", "tiny.toml", "--format", "csv")
    read = list(csv.DictReader(io.StringIO(done.out)))
    document = json.loads(striate("trace", "tiny.toml", "--json").out)
    assert [int(row["macs"]) for row in read] == [one["macs"] for one in document["layers"]]
    marked = striate("trace", "tiny.toml", "--format", "markdown").out.splitlines()
    assert {line[0] + line[-1] for line in marked} == {"||"}


def test_format_json_is_json(striate: Striate) -> None:
    by_format = striate("trace", "tiny.toml", "--format", "json")
    by_option = striate("trace", "tiny.toml", "--json")
    assert json.loads(by_format.out) == json.loads(by_option.out)
    assert "params" in by_format.err


@pytest.mark.parametrize(
    ("kind", "begins"),
    [("table", "layer "), ("markdown", "| "), ("csv", "index,"), ("json", '{"striate": 1'),
     ("html", "<!doctype html>")],
)  # fmt: skip
def test_everything_can_be_written_to_a_file(
    striate: Striate, tmp_path: Path, kind: str, begins: str
) -> None:
    done = striate("trace", "tiny.toml", "--format", kind, "--out", "there.txt")
    assert done.code == 0
    assert done.left == {"there.txt"}
    assert (tmp_path / "there.txt").read_text().startswith(begins)
    assert "wrote there.txt" in done.out + done.err


def test_a_page_has_a_name_of_its_own(striate: Striate, tmp_path: Path) -> None:
    for _ in range(2):  # an earlier page is replaced
        done = striate("trace", "tiny.toml", "--format", "html")
        assert done.code == 0
        assert done.out == "wrote tiny-trace.html\n"
    (tmp_path / "tiny-trace.html").write_text("mine")
    error = striate("trace", "tiny.toml", "--format", "html").error
    assert error == "tiny-trace.html: exists already; name another file with --out"
    assert (tmp_path / "tiny-trace.html").read_text() == "mine"


def test_a_picture_is_in_the_page(striate: Striate, tmp_path: Path) -> None:
    Image.new("RGB", (30, 20), (200, 30, 90)).save(tmp_path / "cat.png")
    done = striate("trace", "tiny.toml", "--format", "html", "--picture", "cat.png")
    assert done.code == 0
    assert "data:image/png;base64," in (tmp_path / "tiny-trace.html").read_text()


def test_a_forward_that_stops_still_shows_what_came_before(
    striate: Striate, tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(BROKEN)
    for kind in ("table", "json", "markdown", "csv", "html"):
        done = striate("trace", "net.py:Net", "--image", "3x8x8", "--format", kind)
        assert done.code == 2
        assert "error: net.py:Net: stopped at 1 (conv2d" in done.err
        shown = done.out
        if kind == "html":
            shown = (tmp_path / "Net-trace.html").read_text()
            assert "The forward stopped at 1 (conv2d" in shown
        assert "conv2d" in shown


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--columns", "path,mac"], "--columns 'mac': no such column; did you mean macs?"),
        (["--columns", ""], "--columns '': no such column; choose from index, path, op"),
        (["--sort", "size"], "--sort 'size': no such order; choose from index, params, macs"),
        (["--depth", "0"], "--depth 0: modules are counted from 1; leave it out to fold only"),
        (["--depth", "-1"], "--depth -1: modules are counted from 1"),
        (["--json", "--format", "csv"], "--json --format csv: two ways to write one thing"),
        (["--picture", "cat.png"], "--picture cat.png: is for --format html"),
        (["--format", "html", "--picture", "none.png"], "none.png cannot be read (No such file"),
        (["--format", "html", "--out", "no/where.html"], "no/where.html: cannot be written"),
        (["--format", "xml"], "Invalid value for '--format'"),
        (["--sweep", "8:32", "--against", "resnet20"], "--sweep and --against: two questions"),
        (["--sweep", "8-32"], "--sweep 8-32: not a range of sizes; write 16:512"),
        (["--sweep", "8:32", "--sort", "macs"], "--sort: is for the layer table and does not go"),
        (["--sweep", "8:32", "--all"], "--all: is for the layer table and does not go with"),
        (["--sweep", "8:32", "--format", "html"], "--format html: does not go with --sweep"),
        (["--against", "resnet20", "--format", "csv"], "--format csv: does not go with --against"),
        (["--against", "resnt20"], "resnt20: no such network; did you mean resnet20?"),
        (["--image", "3x8x8"], "--image 3x8x8: tiny takes images of 1 channel, not 3"),
        (["--image", "3x8x8", "--sweep", "8:32"], "tiny takes images of 1 channel, not 3"),
    ],
)
def test_what_is_wrong_is_one_line(striate: Striate, argv: list[str], message: str) -> None:
    assert message in striate("trace", "tiny.toml", *argv).error


def test_a_training_step(striate: Striate) -> None:
    asked = ("trace", "tiny.toml", "--train", "--batch", "4", "--optimiser", "adamw")
    done = striate(*asked)
    lines = done.out.splitlines()
    assert lines[0].split()[-3:] == ["MACs", "backward", "saved"]
    said = " ".join(done.out.split())
    document = json.loads(striate(*asked, "--json").out)
    totals = document["totals"]
    assert "a training step on 4 images: " in said
    assert " of adamw)" in said
    assert document["optimiser"] == "adamw"
    trained = totals["gradient_bytes"] // 4
    assert totals["optimiser_bytes"] >= 8 * trained
    assert totals["step_bytes"] > totals["saved_bytes"] + totals["optimiser_bytes"]
    assert totals["backward_macs"] == sum(one["backward_macs"] for one in document["layers"])
    plain = json.loads(striate("trace", "tiny.toml", "--json").out)
    assert plain["totals"]["step_bytes"] is None
    assert totals["macs"] == 4 * plain["totals"]["macs"]


def test_bytes_and_intensity_are_columns(striate: Striate) -> None:
    names = "path,macs,backward_macs,read_bytes,written_bytes,intensity,shares"
    done = striate("trace", "tiny.toml", "--columns", names, "--sort", "intensity")
    assert done.out.splitlines()[0].split() == [
        "layer", "MACs", "backward", "reads", "writes", "MACs/B", "shared",
    ]  # fmt: skip
    found = [
        layer["macs"] / (layer["read_bytes"] + layer["written_bytes"])
        for layer in json.loads(striate("trace", "tiny.toml", "--json").out)["layers"]
        if layer["macs"]
    ]
    assert done.out.splitlines()[1].split()[-1] == f"{max(found):.3g}"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--optimiser", "adamw"], "--optimiser adamw: is for training; give --train with it"),
        (["--train", "--optimiser", "adam2"], "--optimiser 'adam2': no such optimiser; did you"),
        (["--train", "--sweep", "8:16"], "--train: is for the layer table and does not go with"),
        (["--batch", "4", "--against", "resnet20"], "--batch: is for the layer table and does"),
    ],
)
def test_what_training_does_not_go_with(striate: Striate, options: list[str], said: str) -> None:
    done = striate("trace", "resnet18", *options)
    assert done.code == 2
    assert said in " ".join(done.err.split())


def test_a_norm_over_one_value_says_so(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(3, 8, 8), nn.BatchNorm2d(8))\n"
    )
    done = striate("trace", "net.py:Net", "--image", "3x8x8", "--train")
    assert done.code == 2
    assert "batch statistics need a batch of 2 or more" in " ".join(done.err.split())
    assert striate("trace", "net.py:Net", "--image", "3x8x8", "--train", "--batch", "2").code == 0
