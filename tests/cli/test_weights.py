"""Trained weights from the command line: what is said, what is refused, what Tab offers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from striate.arch import load_arch
from striate.building import build
from striate.cli.completing import complete_recipe
from striate.training import recipe_names

Striate = Callable[..., Any]
FAST = ("--arch", "tiny.toml", "--threads", "1", "--setting", "fp32")


def saved(folder: Path) -> None:
    torch.save(build(load_arch(folder / "tiny.toml"), seed=3).state_dict(), folder / "w.pth")


def test_weights_are_told_between_the_check_and_the_recipe(
    striate: Striate, tmp_path: Path
) -> None:
    saved(tmp_path)
    ended = striate("fit", *FAST, "--weights", "w.pth", "--epochs", "1", "--out", "run")
    assert ended.code == 0, ended.err
    heads = [line.split("  ")[0] for line in ended.out.splitlines() if line[:1].isalpha()]
    order = [head for head in heads if head in ("Check", "Weights", "Recipe")]
    assert order == ["Check", "Weights", "Recipe"]
    assert (
        "Weights  w.pth\n  The last layer is kept: the weights are of 10 classes too" in ended.out
    )
    assert "The recipe is finetune, since the weights were trained before" in ended.out
    assert {"run/start.safetensors", "run/weights.safetensors"} <= ended.left


def test_with_json_stdout_is_the_document_alone(striate: Striate, tmp_path: Path) -> None:
    saved(tmp_path)
    ended = striate("fit", *FAST, "--weights", "w.pth", "--epochs", "1", "--json")
    assert json.loads(ended.out)["striate"] == 1
    assert "Weights  w.pth" in ended.err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--pretrained",), "--pretrained: say of which network, for example --arch resnet18"),
        (
            ("--arch", "resnet56", "--pretrained"),
            "--pretrained: the hub has no weights for resnet56",
        ),
        (("--arch", "mine.py:Net", "--pretrained"), "mine.py:Net is no network of the zoo"),
        (("--weights", "none"), "--weights none: no such file or folder"),
        (("--weights", "w.pth"), "--weights w.pth: does not say which network it is of"),
        (("--arch", "resnet20", "--weights", "w.pth"), "w.pth: resnet20: these weights are of ano"),
        (("--arch", "resnet20", "--weights", "tiny.toml"), "tiny.toml: is neither safetensors nor"),
        (
            ("--recipe", "quik"),
            "no recipe 'quik', and no such file; did you mean quick?",
        ),
        (("--recipe", "finetune"), "--recipe finetune fine-tunes, and the weights are fresh ones"),
        (("--weights", "w.pth", "--resume", "run"), "leave out --weights"),
    ],
)
def test_one_line_and_nothing_written(
    striate: Striate, tmp_path: Path, argv: tuple[str, ...], message: str
) -> None:
    saved(tmp_path)
    (tmp_path / "mine.py").write_text("from torch.nn import Identity as Net\n")
    ended = striate("fit", *argv)
    assert message in ended.error
    assert not ended.left


def test_without_a_network_it_is_said_what_to_fetch(striate: Striate, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub", reason="needs the extra hub")
    empty = {"HF_HUB_CACHE": str(tmp_path / "hub"), "STRIATE_CACHE": str(tmp_path / "cache")}
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9", **empty}
    ended = striate("fit", "--arch", "resnet18", "--pretrained", env=nobody)
    assert ended.error.startswith("--pretrained: the hub cannot be reached (")
    assert ended.error.endswith(
        "and timm/resnet18.a1_in1k is not in the cache; where there is a network fetch "
        "https://huggingface.co/timm/resnet18.a1_in1k/resolve/main/model.safetensors and give the "
        "file by --weights FILE"
    )
    offline = striate(
        "fit", "--arch", "resnet18", "--pretrained", env={**empty, "HF_HUB_OFFLINE": "1"}
    )
    assert "the hub cannot be reached (OfflineModeIsEnabled" in offline.error


def test_the_list_of_weights_fits_a_terminal(striate: Striate) -> None:
    ended = striate("zoo", "--pretrained", columns=80)
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", ended.out).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("timm/" in line for line in lines) == 39
    plain = striate("zoo", "--pretrained", "--json")
    found = json.loads(plain.out)["networks"]
    assert {"repo": "timm/resnet18.a1_in1k", "image": [3, 224, 224], "licence": "apache-2.0"} in [
        network["pretrained"] for network in found
    ]
    every = json.loads(striate("zoo", "--json").out)["networks"]
    assert len(found) == sum(network["pretrained"] is not None for network in every) == 39
    assert "leave resnet18 out" in striate("zoo", "resnet18", "--pretrained").error


def test_tab_offers_the_recipes_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where there are no files to offer besides
    assert tuple(complete_recipe("")) == recipe_names()
    assert complete_recipe("f") == ["finetune"]
