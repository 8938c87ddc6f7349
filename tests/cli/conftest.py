"""``striate`` as a user runs it, in processes of its own, and small files for it to work on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

SERVER = Path(__file__).with_name("server.py")

TINY = """\
name = "tiny"
image = [1, 8, 8]
classes = 10

[stem]
width = 8

[[stages]]
block = "basic"
depth = 1
width = 16
stride = 2

[head]
dropout = 0.3
"""

FAST = ("--arch", "tiny.toml", "--threads", "1", "--setting", "fp32")
"""Options of a training that takes half a second."""


@dataclass(frozen=True)
class Ended:
    """How a command ended.  ``left``: what it has put into its working directory."""

    code: int
    out: str
    err: str
    left: frozenset[str]

    @property
    def error(self) -> str:
        """The one line with which a wrong input ends: exit code 2, nothing written anywhere."""
        assert self.code == 2, (self.code, self.out, self.err)
        assert self.err.startswith("error: ")
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err.removeprefix("error: ").rstrip("\n")


Striate = Callable[..., Ended]


@pytest.fixture(scope="session")
def server() -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
    """Sends a request to the process of ``server.py`` and gives its answer."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork, which Windows has not; run these tests on Linux or macOS")
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(SERVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def ask(request: dict[str, Any]) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield ask
    process.stdin.close()
    process.stdout.close()
    process.wait()


@pytest.fixture
def striate(server: Callable[[dict[str, Any]], dict[str, Any]], tmp_path: Path) -> Striate:
    """``striate("trace", "resnet18", …)`` in ``tmp_path``; there is no terminal and no COLUMNS.

    Options, as ``server.py`` describes them: ``env`` to add, ``stop``, ``columns``, ``stdout``.
    """
    (tmp_path / "tiny.toml").write_text(TINY)

    def run(
        *argv: str | Path,
        env: dict[str, str] | None = None,
        stop: dict[str, Any] | None = None,
        columns: int | None = None,
        stdout: str | None = None,
    ) -> Ended:
        passed = {
            name: value
            for name, value in os.environ.items()
            if name not in ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE")
        }
        before = _files(tmp_path)
        answer = server(
            {
                "argv": [str(word) for word in argv],
                "cwd": str(tmp_path),
                "env": {**passed, **(env or {})},
                "stop": stop,
                "columns": columns,
                "stdout": stdout,
            }
        )
        return Ended(**answer, left=frozenset(_files(tmp_path) - before))

    return run


def _files(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*"))
    return {str(path) for path in found if "__pycache__" not in path.parts}


def picture(seed: int, side: int = 8) -> Image.Image:
    """Noise, gray."""
    noise = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    return Image.fromarray(noise)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """``photos``: two classes of twenty small gray images."""
    for number in range(40):
        path = tmp_path / "photos" / ("cat", "dog")[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(path)
    return tmp_path / "photos"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch of ``TINY``, made once: to be copied, since a test may write into it."""
    from striate.flow.events import FitOptions
    from striate.flow.fit import fit

    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.toml").write_text(TINY)
    fit(
        "digits",
        FitOptions(
            arch=str(folder / "tiny.toml"),
            epochs=1,
            batch=64,
            threads=1,
            setting="fp32",
            out=folder / "run",
        ),
    )
    return folder / "run"


@pytest.fixture(scope="session")
def mount() -> Callable[..., str]:
    """``mount(folder, *options)``: a tmpfs there; returns what went wrong, or nothing."""

    def mounted(folder: Path, *options: str) -> str:
        try:
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder],
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            return str(error)
        return "" if done.returncode == 0 else done.stderr.strip() or "mount failed"

    return mounted
