"""Trainings that take a second."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from striate.arch import Arch, Head, Stage, Stem, to_toml
from striate.flow.events import FitOptions

sys.path.insert(0, str(Path(__file__).parent))
from postgresql import served


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FitOptions]:
    """``quick(**changes)``: options of one epoch of a tiny network; the cwd is ``tmp_path``."""
    monkeypatch.chdir(tmp_path)
    tiny = Arch(
        name="tiny",
        image=(1, 8, 8),
        classes=10,
        stem=Stem(width=8),
        stages=(Stage(block="basic", depth=1, width=16, stride=2),),
        head=Head(dropout=0.3),
    )
    Path("tiny.toml").write_text(to_toml(tiny))

    def options(**changes: Any) -> FitOptions:
        usual = {
            "arch": "tiny.toml",
            "epochs": 1,
            "batch": 64,
            "threads": 1,
            "setting": "fp32",
            "out": Path("run"),
        }
        return FitOptions(**{**usual, **changes})

    return options


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server on loopback, started for these tests; else skipped."""
    yield from served()
