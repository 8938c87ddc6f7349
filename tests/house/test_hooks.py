"""The pre-commit hook and the GitHub Action: what they run exists, and does what it says."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

NETS = """\
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 8, 1, stride=2),
            nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
        )
"""


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def run(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A shell's command, with striate on its way."""
    way = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": way, "COLUMNS": "80", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.striate]\ntargets = ["nets.py:Net"]\nimage = "3x32x32"\n'
    )
    return tmp_path


def test_hooks_say_what_pre_commit_needs(root: Path) -> None:
    hooks = load(root / ".pre-commit-hooks.yaml")
    scripts = tomllib.loads((root / "pyproject.toml").read_text())["project"]["scripts"]
    assert [hook["id"] for hook in hooks] == ["striate", "striate-isolated"]
    for hook in hooks:
        assert shlex.split(hook["entry"])[0] in scripts
        assert hook["language"] in ("python", "system")
        assert hook["pass_filenames"] is False
        assert set(hook["types_or"]) == {"python", "toml"}
        assert hook["name"]
        assert hook["description"]


def test_the_hook_lints_the_project(root: Path, project: Path) -> None:
    entry = load(root / ".pre-commit-hooks.yaml")[0]["entry"]
    done = run(entry, project)
    assert done.returncode == 1, done.stderr
    assert "warning FL203 0 kernel-smaller-than-stride" in done.stdout


def test_the_action_declares_what_it_uses(root: Path) -> None:
    action = load(root / "action.yml")
    assert action["runs"]["using"] == "composite"
    text = (root / "action.yml").read_text(encoding="utf-8")
    for name, described in action["inputs"].items():
        assert described["description"]
        assert f"inputs.{name} }}}}" in text, f"the input {name} is not used"
    for step in action["runs"]["steps"]:
        assert step["shell"] == "bash"
        for value in step["env"].values():
            assert value.removeprefix("${{ inputs.").removesuffix(" }}") in action["inputs"]


def test_the_action_annotates_and_fails(root: Path, project: Path) -> None:
    *_, step = load(root / "action.yml")["runs"]["steps"]
    empty = dict.fromkeys(step["env"], "")
    done = run(step["run"], project, **{**empty, "SARIF": "out.sarif"})
    assert done.returncode == 1, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("::warning title=FL203 kernel-smaller-than-stride,file=nets.py,line=7::")
    results = json.loads((project / "out.sarif").read_text())["runs"][0]["results"]
    assert [result["ruleId"] for result in results] == ["FL203"]
    options = {"TARGETS": "nets.py:Net", "FAIL_ON": "error", "OPTIONS": "--quiet"}
    assert run(step["run"], project, **{**empty, **options}).returncode == 0
    assert run(step["run"], project, **{**empty, "TARGETS": "nowhere"}).returncode == 2


def test_the_action_installs_itself_by_default(root: Path, tmp_path: Path) -> None:
    """Seen by a pip that only says what it was asked."""
    first, _ = load(root / "action.yml")["runs"]["steps"]
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    way = f'PATH="{tmp_path}:$PATH"\n'
    given = {"INSTALL": "action", "GITHUB_ACTION_PATH": "/the/action"}
    assert run(way + first["run"], tmp_path, **given).stdout == "-m pip install /the/action\n"
    given["INSTALL"] = "striate timm"
    assert run(way + first["run"], tmp_path, **given).stdout == "-m pip install striate timm\n"
