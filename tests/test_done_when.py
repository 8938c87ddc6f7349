"""What the spine was said to do when it is done, as far as no room's own tests prove it.

Where the rest is: wrong inputs ``cli/test_wrong_inputs.py``, own networks
``cli/test_own_networks.py``, a full disk ``cli/test_full_disk.py``, broken checkpoints
``cli/test_resume.py``, kill -9 ``cli/test_killed.py`` and ``training/test_resume.py``, parquet
against a folder ``flow/test_same_bits.py``, the chapter ``test_chapter.py``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from striate.cli.main import outcome


@pytest.fixture
def document(capsys: pytest.CaptureFixture[str]) -> Any:
    """``document("trace", "resnet50")``: what ``striate … --json`` prints."""

    def run(*arguments: str) -> dict[str, Any]:
        assert outcome([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def last(found: dict[str, Any], op: str) -> dict[str, Any]:
    return next(layer["field"] for layer in reversed(found["layers"]) if layer["op"] == op)


def test_resnet50(document: Any) -> None:
    found = document("trace", "resnet50")
    assert found["totals"]["params"] == 25_557_032
    assert f"{found['totals']['macs'] / 1e9:.2f}" == "4.09"
    field = last(found, "conv2d")
    assert field["status"] == "exact"
    assert field["size"] == [427, 427]
    assert field["start"] == [-213, -213]
    assert field["least"] == [75, 75]


@pytest.mark.parametrize(
    ("name", "op", "side"),
    [
        ("resnet18", "conv2d", 435),
        ("resnet34", "conv2d", 899),
        ("vgg16", "conv2d", 196),
        ("vgg16", "max_pool2d", 212),
    ],
)
def test_receptive_fields(document: Any, name: str, op: str, side: int) -> None:
    assert last(document("trace", name), op)["size"] == [side, side]


def test_the_whole_of_cifar10(document: Any, shared: Path, tmp_path: Path) -> None:
    if os.environ.get("STRIATE_LONG_TESTS") != "1":
        pytest.skip("trains on 50,000 images for minutes; set STRIATE_LONG_TESTS=1 to run it")
    data, out = shared / "data" / "cifar10", tmp_path / "run"
    found = document(
        "fit", str(data), "--arch", "resnet20", "--epochs", "1", "--quiet", "--out", str(out)
    )
    assert found["arch"] == "resnet20"
    assert found["epochs"] == 1
    assert found["accuracy"] > 0.35  # a tenth is chance
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    trained = sum(line["images"] for line in lines if line["kind"] == "step")
    assert trained == 45_000  # the other 5,000 choose the checkpoint
    assert "10000" in (out / "report.html").read_text().replace(",", "")
