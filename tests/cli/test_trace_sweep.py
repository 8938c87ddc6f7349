"""``striate trace --sweep``: a line a size, two answers, and the rule."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from striate.cli.trace_sweep import happens, spoken
from striate.records import Failure
from striate.records.trace_sweep import AtSize, Unread

Striate = Callable[..., Any]


def test_the_table_and_the_two_answers(striate: Striate) -> None:
    done = striate("trace", "vgg16", "--sweep", "30:66", env={"COLUMNS": "80"})
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["size", "final", "map", "MACs", "what", "happens"]
    assert re.match(r"30–31 +✗  stages\.4\.pool: ", lines[1])
    assert any(re.match(r" *64 +2×2 +\S+ +✓", line) for line in lines)
    assert any(line.endswith("stages.0.pool reads 32×32 of 33×33") for line in lines)
    assert "smallest valid size: 32 · friendliest: 64" in done.out
    assert "every stride fits exactly" in " ".join(done.out.split())


def test_a_chosen_step_is_said(striate: Striate) -> None:
    done = striate("trace", "tiny.toml", "--sweep", "8:140")
    assert "Tried: every 4th size" in " ".join(done.out.split())
    assert "--sweep 8:140:1 tries them all" in " ".join(done.out.split())


def test_json_has_every_size_and_people_read_on_stderr(striate: Striate) -> None:
    done = striate("trace", "tiny.toml", "--sweep", "4:12:4", "--json")
    document = json.loads(done.out)
    assert [one["size"] for one in document["sweep"]["sizes"]] == [4, 8, 12]
    assert document["target"] == "tiny.toml"
    assert document["sweep"]["channels"] == 1
    assert "smallest valid size" in done.err


def test_csv_and_markdown(striate: Striate, tmp_path: Path) -> None:
    done = striate("trace", "vgg16", "--sweep", "31:33", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["valid"] for row in rows] == ["0", "1", "1"]
    assert rows[0]["macs"] == ""
    assert int(rows[1]["macs"]) < int(rows[2]["macs"])
    striate("trace", "vgg16", "--sweep", "31:33", "--format", "markdown", "--out", "sizes.md")
    assert (tmp_path / "sizes.md").read_text().count("|") == 5 * 7


def test_no_size_at_all(striate: Striate) -> None:
    done = striate("trace", "vgg16", "--sweep", "8:9")
    assert done.code == 0
    assert "no size of these is valid" in done.out


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([], ""),
        ([64], "64"),
        ([28, 32, 40], "28, 32, 40"),
        (list(range(32, 513, 32)), "32, 64, 96 … 512 (every 32)"),
        ([n * n for n in range(20)], "0, 1, 4, 9, 16, 25, 36, 49, 64, 81 … 361 (20 sizes)"),
    ],
)
def test_sizes_in_words(sizes: list[int], said: str) -> None:
    assert spoken(sizes) == said


def test_what_happens_in_words() -> None:
    lost = Unread(path="pool", op="max_pool2d", map=(9, 8), rows=1, columns=0)
    assert happens(AtSize(size=9, unread=(lost,))) == "pool reads 8×8 of 9×8"
    both = AtSize(size=9, unread=(lost, lost, lost), collapsed="last")
    assert happens(both) == "1×1 from last on; pool reads 8×8 of 9×8, and 2 layers more"
    for path, op, said in (
        ("conv", "conv2d", "conv: too small"), ("", "cat", "cat: too small"), ("", "", "too small"),
        ("", "input", "too small"),
    ):  # fmt: skip
        failed = Failure(path=path, op=op, shapes=(), message="too small")
        assert happens(AtSize(size=1, failure=failed)) == said
