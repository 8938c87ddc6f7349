"""``striate scale`` and ``--search`` as a user types them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Striate = Callable[..., Any]
SEARCH = (
    *("scale", "tiny.toml", "--search", "digits", "--divisor", "4", "--trials", "1"),
    *("--epochs", "1", "--share", "0.1", "--seeds", "1", "--out", "found"),
)


def test_a_search_goes_on_and_its_command_works(striate: Striate, tmp_path: Path) -> None:
    first = striate(*SEARCH, env={"COLUMNS": "80"})
    assert first.code == 0, first.err
    assert all(len(line) <= 80 for line in first.out.splitlines())
    assert "Proxy: 1 epoch on 10 % of the training images, 1 seed each." in first.out
    assert "beyond --trials" in first.out
    assert "Chosen: α" in first.out
    runs = {path for path in first.left if path.endswith("run.json")}
    assert len(runs) == 2
    again = striate(*SEARCH, "--phi", "1:2", "--json")
    found = json.loads(again.out)
    assert again.err.count("(done before)") == 2
    assert not again.left
    assert found["striate"] == 1
    trained = [one for one in found["candidates"] if one["scores"]]
    assert len(trained) == 1
    assert [one["phi"] for one in found["family"]] == [1, 2]
    command = shlex.split(found["command"])
    assert command[:2] == ["striate", "scale"]
    family = json.loads(striate(*command[1:], "--json").out)
    assert family["rule"]["depth"] == found["alpha"]
    assert family["family"][0]["macs"] == trained[0]["macs"] == found["family"][0]["macs"]


def test_a_family_that_ends(striate: Striate) -> None:
    """No convolution has more than 65536 channels, whatever the budget."""
    ended = striate("scale", "resnet20", "--to", "params=1T", "--rule", "width")
    assert "is no bound" in ended.error or "cannot be built" in ended.out


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ([], "scale: name a network to begin with, such as resnet18 or net.toml"),
        (["tiny.toml"], "give a budget (--to macs=1.2G) or members (--phi 1:3)"),
        (["tiny.toml", "--phi", "1", "--grid", "2"], "--grid 2: is of --search; leave it out"),
        (["tiny.toml", "--phi", "1", "--epochs", "2"], "--epochs 2: is of --search"),
        (["--search", "digits", "--alpha", "1.2"], "--alpha 1.2: --search finds it; leave it out"),
        (["--search", "digits", "--rule", "depth"], "--rule depth: --search is of the compound"),
        (["--search", "digits", "--share", "2"], "--share 2: a share is above 0, and 1 at most"),
        (["--search", "digits", "--grid", "0"], "--grid 0: the doubled cost is spent in 1 to 12"),
        (["--search", "digit"], "did you mean digits"),
        (["--search", "digits", "resnet5O"], "did you mean resnet5"),
        (["lenet5", "--rule", "depth", "--to", "params=1M"],
         "each further convolution of stage 1 would take 4 px off the map"),
        (["resnet20", "--rule", "resolution", "--to", "params=1M"], "params is no bound"),
        (["resnet20", "--rule", "depth", "--to", "macs=1k"], "has at most 1,000 MACs"),
        (["mlp", "--rule", "depth", "--alpha", "1.1", "--phi", "1"], "--alpha is of the compound"),
    ],
)  # fmt: skip
def test_wrong_inputs(striate: Striate, options: list[str], error: str) -> None:
    ended = striate("scale", *options)
    assert error in ended.error
    assert not ended.left
