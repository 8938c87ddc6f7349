"""``striate code`` and ``striate export`` as a user runs them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Striate = Callable[..., Any]


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def test_source_on_the_screen_and_nothing_else(striate: Striate) -> None:
    ended = striate("code", "tiny.toml")
    assert (ended.code, ended.err, ended.left) == (0, "", frozenset())
    assert ended.out.startswith('"""tiny: images of 1 × 8 × 8, 10 classes.')
    compile(ended.out, "tiny.py", "exec")
    found = json.loads(striate("code", "tiny.toml", "--json").out)
    assert list(found) == ["striate", "target", "class", "lines", "checked", "out", "code"]
    assert found["code"] == ended.out
    assert found["class"] == "Tiny"
    assert found["lines"] == ended.out.count("\n")


def test_a_run_as_a_file(striate: Striate, run: Path, tmp_path: Path) -> None:
    ended = striate("code", "run", "--out", "net.py")
    assert (ended.code, ended.left) == (0, {"net.py"}), ended.err
    assert ended.out.startswith("wrote net.py: Tiny, ")
    assert "logits with the run's weights" in ended.out
    assert 'Path(__file__).parent / "run/weights.safetensors"' in (tmp_path / "net.py").read_text()
    again = striate("code", "run", "--out", "net.py")
    assert "--out net.py: exists already" in again.error


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["code", "resnet5"], "resnet5: no such network; did you mean resnet"),
        (["code", "gone.toml"], "gone.toml"),
        (["code", "."], ".: not a run's folder (it has no run.json); name a zoo network"),
        (["code", "tiny.toml", "--out", "no/net.py"], "--out no/net.py: there is no folder no"),
        (["export", "tiny.toml"], "tiny.toml"),
        (["export", "nowhere"], "nowhere: not a run's folder (it has no run.json)"),
        (["export", "run", "--to", "tflite"], "--to tflite: no such format; choose from onnx"),
        (["export", "run", "--out", "tiny.toml"], "tiny.toml: is a file, not a folder"),
    ],
)
def test_wrong_inputs(striate: Striate, run: Path, words: list[str], error: str) -> None:
    ended = striate(*words)
    assert error in ended.error
    assert ended.left == frozenset()


def test_an_export_and_its_document(striate: Striate, run: Path) -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="needs the extra export (pip install 'striate[export]')")
    ended = striate("export", "run", "--json")
    assert ended.code == 0, ended.err
    assert ended.left == {"run/export", "run/export/model.onnx", "run/export/README.md"}
    found = json.loads(ended.out)
    assert list(found) == ["striate", "run", "files", "accuracy", "norms", "checks"]
    assert [one["path"] for one in found["files"]] == [
        *("run/export/model.onnx", "run/export/README.md"),
    ]
    assert found["norms"] == {"folded": 4, "left": 0}
    names = [one["name"] for one in found["checks"]]
    assert names == ["checker", "runtime", "agreement", "accuracy", "round trip"]
    assert ended.err.count("passed model.onnx") == 5


def test_a_refused_export_leaves_nothing(striate: Striate, run: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra export")
    info = json.loads((run / "run.json").read_text())
    info["result"]["accuracy"] = 0.999
    (run / "run.json").write_text(json.dumps(info))
    ended = striate("export", "run", "--quiet")
    assert ended.error.startswith(
        "model.onnx: refused by the check 'accuracy, optimisations off': "
    )
    assert ended.error.endswith("99.90%; they may differ by 1.0%; nothing was written")
    assert ended.left == frozenset()


def test_data_that_are_gone(striate: Striate, run: Path) -> None:
    info = json.loads((run / "run.json").read_text())
    info["data"]["spec"] = "/gone/photos"
    (run / "run.json").write_text(json.dumps(info))
    ended = striate("export", "run")
    assert ended.error.startswith(
        "run: an export is checked on the run's own data, and they cannot be opened: /gone/photos"
    )
