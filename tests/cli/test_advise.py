"""``striate advise`` as a user types it: 80 columns, a document, and commands that work."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from striate.arch import load_arch

Striate = Callable[..., Any]
ADVISE = ("advise", "digits", "--arch", "tiny.toml", "--budget", "macs=300k,params=20k")


def test_what_it_prints_can_be_typed(striate: Striate, tmp_path: Path) -> None:
    ended = striate(*ADVISE, env={"COLUMNS": "80"})
    assert ended.code == 0, ended.err
    assert not ended.left
    assert all(len(line) <= 80 for line in ended.out.splitlines())
    for part in ("tiny on digits: 1,259 training images", "within the budget", "Advice:", "Next:"):
        assert part in ended.out
    lines = striate(*ADVISE).out.split("Next:\n")[1].splitlines()
    commands = [shlex.split(line) for line in lines]
    assert [command[1] for command in commands] == ["advise", "check", "fit", "sweep"]
    wrote = striate(*commands[0][1:])
    assert wrote.code == 0, wrote.err
    (name,) = wrote.left
    assert commands[0][-2:] == ["--out", name]
    assert commands[1][-1] == name
    assert commands[2][2:] == ["digits", "--arch", name]
    assert striate(*commands[1][1:]).code in (0, 1)
    cost = json.loads(striate("scale", name, "--phi", "0", "--json").out)["base"]
    assert cost["macs"] <= 300_000
    assert cost["params"] <= 20_000
    assert striate(*commands[3][1:], "--dry-run").code == 0
    # written once, the command says so rather than write over it
    assert f"--out {name}: exists already" in striate(*commands[0][1:]).error


def test_the_document(striate: Striate, tmp_path: Path) -> None:
    ended = striate(*ADVISE, "--json", "--out", "next.toml")
    found = json.loads(ended.out)
    assert found["striate"] == 1
    assert found["budget"] == {"macs": 300_000, "params": 20_000}
    assert load_arch(tmp_path / "next.toml").name == found["advised"]["name"]
    for one in found["sentences"]:
        assert {"axis", "says", "text", "measured", "rule_of_thumb"} == set(one)
        assert one["measured"]
    assert found["next"][0] == "striate check next.toml"
    assert found["facts"]["cost"]["macs"] == found["base"]["macs"]


def test_nothing_to_grow(striate: Striate) -> None:
    base = json.loads(striate("scale", "tiny.toml", "--phi", "0", "--json").out)["base"]
    budget = f"params={base['params'] + 50}"
    ended = striate(*ADVISE[:4], "--budget", budget)
    assert ended.code == 0, ended.err
    assert "as large as the budget lets it be" in ended.out
    assert "Next:" not in ended.out
    refused = striate(*ADVISE[:4], "--budget", budget, "--out", "next.toml")
    assert (
        refused.error == "--out next.toml: the budget leaves no room for another network; raise it"
    )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["nowhere"], "DATA 'nowhere' is neither built in nor a folder or file here"),
        (["digits", "--budget", "macs"], "--budget macs: write KEY=VALUE, such as macs=1.2G"),
        (["digits", "--budget", "params=1"], "has at most 1 parameters: the smallest that can"),
        (["digits", "--out", "net.json"], "--out net.json: name a .toml file"),
        (["digits", "--batch", "0"], "--batch 0: give at least 1"),
        (["--run", "nowhere"], "nowhere: not a run's folder"),
        (["digits", "--arch", "resnet5O"], "did you mean resnet5"),
    ],
)
def test_wrong_inputs(striate: Striate, options: list[str], error: str) -> None:
    ended = striate("advise", *options)
    assert error in ended.error
    assert not ended.left
