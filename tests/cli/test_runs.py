"""``striate runs`` as a user types it: the list, the comparison, wrong inputs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Striate = Callable[..., Any]


@pytest.fixture
def two(finished: Path, tmp_path: Path) -> tuple[str, str]:
    """Two runs in ``runs``: of one training, but that the second says another rate."""
    for name in ("first", "a-run-with-a-very-long-name-of-its-own"):
        shutil.copytree(finished, tmp_path / "runs" / name)
    recipe = tmp_path / "runs" / "first" / "recipe.toml"
    lines = [
        "lr = 0.123" if line.startswith("lr =") else line
        for line in recipe.read_text().splitlines()
    ]
    recipe.write_text("\n".join(lines))
    return "runs/first", "runs/a-run-with-a-very-long-name-of-its-own"


def test_the_list_fits_eighty_columns_and_says_what_it_left_out(
    striate: Striate, two: tuple[str, str], tmp_path: Path
) -> None:
    ended = striate("runs", env={"COLUMNS": "80"})
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "All  data digits, network tiny, setting fp32"
    assert lines[1].split()[:2] == ["run", "params"]
    assert ended.left == set()
    (tmp_path / two[1] / "weights.safetensors").unlink()
    (tmp_path / two[1] / "recipe.toml").unlink()
    ended = striate("runs", "runs", "--sort", "name", env={"COLUMNS": "60"})
    lines = ended.out.splitlines()
    assert max(map(len, lines)) <= 60
    assert "broken  a-run-with-a-very-long-name-of-its-own:" in ended.out
    assert "left out for want of room:" in ended.out


def test_a_run_whose_layers_ail_says_so(
    striate: Striate, two: tuple[str, str], tmp_path: Path
) -> None:
    healthy = striate("runs", env={"COLUMNS": "80"}).out
    assert "layers" not in healthy.splitlines()[1].split()
    weights = [{"parameter": f"{n}.weight", "gradient": 0.0, "weight": 1.0} for n in "ab"]
    with (tmp_path / two[0] / "metrics.jsonl").open("a") as out:
        for step in (100, 120, 140):
            look = {"kind": "health", "epoch": 7, "step": step, "units": []}
            out.write(json.dumps({**look, "weights": [w | {"update": 0.0} for w in weights]}))
            out.write("\n")
    ended = striate("runs", env={"COLUMNS": "80"})
    lines = ended.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "layers" in lines[1].split()
    assert next(line for line in lines if line.startswith("first")).count("2 sick") == 1
    said = " ".join(ended.out.split())
    assert said.count("sick first: a.weight: no gradient since step 100 (epoch 7); 1 more;") == 1
    assert "; striate check runs/first says more" in said
    side = striate("runs", *two, env={"COLUMNS": "120"}).out
    row = next(line for line in side.splitlines() if "  layers" in line)
    assert row.split() == ["layers", "2", "sick"]


def test_the_document_lists_or_compares(striate: Striate, two: tuple[str, str]) -> None:
    listed = json.loads(striate("runs", "--sort", "name", "--json").out)
    assert list(listed) == ["striate", "runs"]
    assert [run["run"] for run in listed["runs"]] == [two[1], two[0]]
    assert listed["runs"][0]["state"] == "finished"
    found = json.loads(striate("runs", *two, "--json").out)
    assert list(found) == ["striate", "runs", "differences", "gaps", "curves", "notes"]
    changed = found["differences"]["recipe"]
    assert [(one["key"], one["values"][0]) for one in changed] == [("lr", 0.123)]
    assert found["gaps"][1] == {
        "images": 359, "only_first": 0, "only_this": 0, "accuracy": 0.0, "error": 0.0,
    }  # fmt: skip


def test_runs_side_by_side_and_their_page(striate: Striate, two: tuple[str, str]) -> None:
    ended = striate("runs", *two, "--out", "compared.html", env={"COLUMNS": "80"})
    assert ended.code == 0, ended.err
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "Network  the same in all" in ended.out
    assert "0.123" in ended.out
    assert ended.left == {"compared.html"}
    assert striate("runs", *two, "--out", "compared.html").code == 0  # ours is replaced


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "nowhere: is not there; name a run's folder, or one that holds runs"),
        (("tiny.toml",), "tiny.toml: is a file, not a folder; name a run's folder, or one that"),
        (("empty",), "empty: no runs there; striate fit --out makes one"),
        (("runs", "--sort", "acuracy"), "--sort acuracy: no such key; did you mean accuracy?"),
        (("runs", "--out", "page.pdf"), "--out page.pdf: is written as a page; name a file that"),
        (("runs", "--out", "no/page.html"), "--out no/page.html: there is no folder no; make it"),
        (("runs", "--out", "mine.html"), "--out mine.html: exists, and is no page of striate runs"),
        (("runs/first", "--out", "p.html"), "--out p.html: compares two runs or more, and 1 is"),
        (("runs/first", "runs/first"), "runs/first: is named twice; name two different runs"),
        (("runs/first", "runs/../runs/first"), "runs/../runs/first: is named twice"),
    ],
)
def test_wrong_inputs(
    striate: Striate, two: tuple[str, str], tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine.html").write_text("<p>mine")
    ended = striate("runs", *words)
    assert ended.error.startswith(said)
    assert ended.left == set()


def test_without_any_folder_it_says_where_runs_are_put(striate: Striate) -> None:
    said = "there is no folder runs or sweeps here, where striate fit and striate sweep put runs"
    assert striate("runs").error.startswith(said)
