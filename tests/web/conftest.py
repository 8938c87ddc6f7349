"""A run that takes a second, a server's application with it, and an image."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.arch import Arch, Stage, Stem, to_toml
from striate.flow.events import FitOptions
from striate.flow.fit import fit

pytest.importorskip("fastapi", reason="needs the web extra: pip install 'striate[web]'")

from starlette.testclient import TestClient

from striate.web.app import make_app
from striate.web.options import Limits, ServeOptions

TINY = Arch(
    name="tiny",
    image=(1, 8, 8),
    classes=10,
    stem=Stem(width=16),
    stages=(Stage(block="basic", depth=1, width=32, stride=2),),
)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs on the digits, ``one`` and ``two``."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "tiny.toml").write_text(to_toml(TINY))
    for number, name in enumerate(("one", "two")):
        options = FitOptions(
            arch=str(folder / "tiny.toml"), epochs=2, threads=1, setting="fp32", seed=number,
            out=folder / "all" / name,
        )  # fmt: skip
        fit("digits", options)
    return folder / "all"


Make = Callable[..., Any]


@pytest.fixture(scope="session")
def options(runs: Path) -> ServeOptions:
    return ServeOptions(run=runs / "one", runs=(runs,))


@pytest.fixture(scope="session")
def client(options: ServeOptions) -> Iterator[TestClient]:
    """A server on loopback with the run ``one`` open."""
    with TestClient(make_app(options), base_url="http://localhost:8462") as asked:
        yield asked


@pytest.fixture
def make_client(options: ServeOptions) -> Iterator[Make]:
    """``make_client(token=…, limits=…)``: another server, without a run unless one is named."""
    opened: list[TestClient] = []

    def make(*, base_url: str = "http://localhost:8462", **changed: Any) -> TestClient:
        app = make_app(replace(options, **{"run": None, **changed}))
        asked = TestClient(app, base_url=base_url)
        opened.append(asked.__enter__())
        return asked

    yield make
    for asked in opened:
        asked.__exit__(None, None, None)


def encoded(pixels: Any, kind: str = "PNG", **how: Any) -> bytes:
    """An image file's content."""
    stream = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(stream, kind, **how)
    return stream.getvalue()


@pytest.fixture(scope="session")
def png() -> bytes:
    """Noise, gray, 24 × 16."""
    return encoded(np.random.default_rng(3).integers(0, 256, (24, 16)))


__all__ = ["Limits", "encoded"]
