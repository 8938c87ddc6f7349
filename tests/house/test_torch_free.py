"""What must start fast starts without torch: each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

_IMPORT = """
import sys
import {module}
print("torch" in sys.modules)
"""

_COMMAND = """
import sys
from striate.cli.main import run
try:
    run({arguments!r})
except SystemExit as end:
    assert not end.code, end.code
print("torch" in sys.modules)
"""


def _last_line(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_the_probe_sees_torch_where_it_is_loaded() -> None:
    assert _last_line(_IMPORT.format(module="torch")) == "True"


@pytest.mark.parametrize(
    "module",
    [
        "striate",
        "striate.errors",
        "striate.caches",
        "striate.keyed",
        "striate.records",
        "striate.arch",
        "striate.checking",
        "striate.reporting",
        "striate.cli.main",
    ],
)
def test_import_loads_no_torch(module: str) -> None:
    assert _last_line(_IMPORT.format(module=module)) == "False"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["zoo"],
        ["zoo", "resnet18"],
        ["zoo", "--schema"],
        ["fit", "--help"],
        ["trace", "--help"],
        ["check", "--help"],
        ["conv", "--help"],
    ],
    ids=" ".join,
)
def test_command_loads_no_torch(arguments: list[str]) -> None:
    assert _last_line(_COMMAND.format(arguments=arguments)) == "False"


def test_public_names_resolve() -> None:
    program = """
import striate
for name in striate.__all__:
    getattr(striate, name)
print(sorted(set(striate.__all__) - set(dir(striate))))
"""
    assert _last_line(program) == "[]"
