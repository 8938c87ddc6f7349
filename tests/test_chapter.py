"""Every claim of ``facts/chapter.json``, through the public API and the command line.

The chapter's claims are about ordinary networks, so each is traced on one; ``CLAIMS`` maps the
words of the file to the function that measures it, and a claim without one fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import striate
from striate.cli.main import outcome

CLAIMS: dict[str, Callable[[pytest.CaptureFixture[str]], Any]] = {}


def claim(words: str) -> Callable[[Any], Any]:
    def kept(measure: Any) -> Any:
        CLAIMS[words] = measure
        return measure

    return kept


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The document that ``striate … --json`` prints."""
    assert outcome([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@claim("pixels 224x224x3")
def pixels(capsys: pytest.CaptureFixture[str]) -> int:
    found = command(capsys, "trace", "resnet50")
    image = found["layers"][0]
    assert image["op"] == "input"
    channels, height, width = image["shape"][1:]
    return channels * height * width


@claim("dense weights to 1000 units")
def dense_weights(capsys: pytest.CaptureFixture[str]) -> int:
    layer = nn.Sequential(nn.Flatten(), nn.Linear(224 * 224 * 3, 1000, bias=False, device="meta"))
    return striate.trace(layer, (3, 224, 224)).totals.params


@claim("3x3 filter weights")
def filter_weights(capsys: pytest.CaptureFixture[str]) -> int:
    assert len(command(capsys, "conv")["kernel"][0]) == 3
    return striate.trace(nn.Conv2d(1, 1, 3, bias=False), (1, 224, 224)).totals.params


@claim("3x3 filter positions on 224x224 (same padding)")
def filter_positions(capsys: pytest.CaptureFixture[str]) -> int:
    found = striate.trace(nn.Conv2d(1, 1, 3, padding=1, bias=False), (1, 224, 224))
    height, width = found.last("conv2d").shape[2:]
    assert found.totals.macs == 9 * height * width  # nine products at each
    return height * width


@claim("sobel-x on the chapter's 5x5 image at (0,0)")
def sobel(capsys: pytest.CaptureFixture[str]) -> float:
    found = command(capsys, "conv", "--kernel", "sobel-x", "--at", "0,0")
    (position,) = found["positions"]
    assert position["text"] == ("-1·0 + 0·0 + 1·9 + -2·0 + 0·0 + 2·9 + -1·0 + 0·0 + 1·9 = 36")
    image = torch.tensor([[0.0, 0, 9, 9, 9]] * 5)[None, None]
    kernel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])[None, None]
    output = torch.nn.functional.conv2d(image, kernel)[0, 0]
    assert command(capsys, "conv")["output"] == output.tolist()
    return output[0, 0].item()


@claim("receptive field of 1, 2, 10 layers of 3x3")
def fields(capsys: pytest.CaptureFixture[str]) -> list[int]:
    stack = nn.Sequential(*[nn.Conv2d(1, 1, 3, padding=1) for _ in range(10)])
    layers = [layer for layer in striate.trace(stack, (1, 64, 64)) if layer.op == "conv2d"]
    sizes = [layer.field.size[0] for layer in layers if layer.field]
    return [sizes[0], sizes[1], sizes[9]]


@claim("conv 3->64 3x3 parameters")
def parameters(capsys: pytest.CaptureFixture[str]) -> int:
    return striate.trace(nn.Conv2d(3, 64, 3), (3, 224, 224)).totals.params


@claim("224 stride 1 same")
def stride_1(capsys: pytest.CaptureFixture[str]) -> int:
    return side(nn.Conv2d(3, 8, 3, padding=1))


@claim("224 stride 2 same")
def stride_2(capsys: pytest.CaptureFixture[str]) -> int:
    return side(nn.Conv2d(3, 8, 3, stride=2, padding=1))


def side(layer: nn.Module) -> int:
    height, width = striate.trace(layer, (3, 224, 224)).last("conv2d").shape[2:]
    assert height == width
    return height


@claim("healthy progression")
def progression(capsys: pytest.CaptureFixture[str]) -> list[int]:
    found = command(capsys, "trace", "resnet50")
    sides: list[int] = []
    for layer in found["layers"]:
        if len(layer["shape"]) == 4 and layer["op"] != "adaptive_avg_pool2d":
            sides += [layer["shape"][2]] if layer["shape"][2] not in sides else []
    (linted,) = command(capsys, "check", "resnet50")["targets"]
    assert linted["findings"] == [], "the linter calls it healthy too"
    return sides


def test_every_claim(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claims = json.loads((shared / "facts" / "chapter.json").read_text())["claims"]
    assert CLAIMS.keys() == claims.keys()
    measured = {words: measure(capsys) for words, measure in CLAIMS.items()}
    assert measured == claims
