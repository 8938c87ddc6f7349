"""The architecture is a test: the contracts hold, and each is seen to fail when it is broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def _lint(folder: Path, config: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the striate that lies in ``folder``."""
    program = "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())"
    return subprocess.run(
        [sys.executable, "-c", program, "--config", str(config), "--no-cache"],
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_contracts_hold(root: Path) -> None:
    done = _lint(root / "src", root / "pyproject.toml")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("place", "line", "contract"),
    [
        ("data/__init__.py", "import striate.training", "Each room knows only the rooms below it"),
        ("seeing/__init__.py", "import striate.training", "Each room knows only the rooms below"),
        ("newroom/__init__.py", "import striate.arch", "Each room knows only the rooms below it"),
        ("checking/__init__.py", "import torch", "Rooms of pure data load no torch"),
        ("arch/__init__.py", "import striate._torchy", "Rooms of pure data load no torch"),
        ("records/__init__.py", "import pydantic", "Errors, keys and records need numpy at most"),
        ("tracing/__init__.py", "import rich", "Only the command line formats for a terminal"),
        ("checking/rules/{0}.py", "import striate.checking.rules.{1}", "Rules never import each"),
        ("building/blocks/{0}.py", "import striate.building.blocks.{1}", "Blocks never import eac"),
        ("seeing/{0}.py", "import striate.seeing.{1}", "Ways of looking never import each other"),
    ],
)
def test_a_broken_contract_is_named(
    root: Path, tmp_path: Path, place: str, line: str, contract: str
) -> None:
    copy = tmp_path / "src"
    shutil.copytree(
        root / "src" / "striate", copy / "striate", ignore=shutil.ignore_patterns("__pycache__")
    )
    if "_torchy" in line:
        (copy / "striate" / "_torchy.py").write_text('"""Loads torch."""\n\nimport torch\n')
    folder = copy / "striate" / Path(place).parent
    folder.mkdir(exist_ok=True)
    first, second = ["filters", "maps"] if folder.name == "seeing" else _two_modules(folder)
    path = copy / "striate" / place.format(first)
    before = path.read_text() if path.exists() else '"""A new room."""\n'
    path.write_text(f"{before}\n{line.format(first, second)}\n")
    done = _lint(copy, root / "pyproject.toml")
    assert done.returncode == 1, done.stdout
    broken = [row for row in done.stdout.splitlines() if row.endswith("BROKEN")]
    assert any(row.startswith(contract) for row in broken), done.stdout


def _two_modules(folder: Path) -> list[str]:
    names = [path.stem for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
    return [*names, "", ""][:2]
