"""A run that takes a second, for all tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from striate.arch import Arch, Stage, Stem, to_toml
from striate.flow.events import FitOptions
from striate.flow.fit import fit

TINY = Arch(
    name="tiny",
    image=(1, 8, 8),
    classes=10,
    stem=Stem(width=16),
    stages=(Stage(block="basic", depth=1, width=32, stride=2),),
)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the digits, trained to about 95 %."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.toml").write_text(to_toml(TINY))
    fit(
        "digits",
        FitOptions(
            arch=str(folder / "tiny.toml"),
            epochs=6,
            threads=1,
            setting="fp32",
            out=folder / "run",
        ),
    )
    return folder / "run"
