"""From a clone to a served classifier of one's own images: the README's six commands, run."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import pytest

from _pages import make_photographs

ROOT = Path(__file__).resolve().parents[2]
HEADING = "## From a clone to a service\n"
SMALLER = {
    "fit": "--image 32x32 --epochs 2 --threads 1 --setting fp32",
    "see": "--only fields",
    "serve": "--port 0 --json",
}
"""What is added to a command so that it takes seconds; all else is as the README has it."""


def commands() -> list[list[str]]:
    text = (ROOT / "README.md").read_text(encoding="utf-8").split(HEADING)[1]
    found = re.search(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return [shlex.split(line, comments=True) for line in found[1].splitlines()]


def test_they_are_six_and_the_first_installs_what_the_others_need() -> None:
    first, *others = commands()
    assert len(others) <= 5
    assert [words[:2] for words in others] == [
        ["striate", name] for name in ("fit", "see", "export", "predict", "serve")
    ]
    assert first[:2] == ["pip", "install"]
    extras = re.fullmatch(r"\.\[(.*)\]", first[2])
    assert extras is not None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with ``photos`` in it, and nothing else."""
    make_photographs(tmp_path)
    return tmp_path


def begin(words: list[str], home: Path) -> subprocess.Popen[str]:
    more = shlex.split(SMALLER.get(words[1], ""))
    environment = {
        **os.environ,
        "NO_COLOR": "1",
        "COLUMNS": "80",
        "OMP_NUM_THREADS": "1",
        "STRIATE_CACHE": str(home / "cache"),
    }
    return subprocess.Popen(
        [Path(sys.executable).with_name(words[0]), *words[1:], *more],
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("onnxruntime", "onnxscript", "fastapi", "uvicorn"))),
    reason="needs the extras export and web",
)
def test_they_make_a_classifier_that_is_served(home: Path) -> None:
    *ended, serve = commands()[1:]
    for words in ended:
        process = begin(words, home)
        printed, said = process.communicate(timeout=300)
        assert process.returncode == 0, f"{words}\n{printed}\n{said}"
    run = home / "runs" / "photos"
    assert (run / "report.html").exists()
    assert (run / "evidence" / "fields.safetensors").exists()
    assert (run / "export" / "model.onnx").exists()
    assert re.match(r"photos/cat/000\.png  (cat|dog) ", printed)
    label = printed.split()[1]

    process = begin(serve, home)
    try:
        assert process.stdout is not None
        lines = ""
        while not lines.rstrip().endswith("}"):
            line = process.stdout.readline()
            assert line, process.communicate()
            lines += line
        address = json.loads(lines)["address"]
        image = (home / "photos" / "cat" / "000.png").read_bytes()
        with urllib.request.urlopen(f"{address}predict", data=image, timeout=60) as answer:
            assert label in answer.read().decode()
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the server has stopped" in said
    assert "Traceback" not in said
