"""Small image files and folders for the tests of ``striate.data``."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image


def picture(seed: int, height: int = 12, width: int = 16, channels: int = 3) -> NDArray[np.uint8]:
    """A smooth random picture (h, w, C), so that JPEG keeps it recognisable."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (3, 4, channels), dtype=np.uint8)
    planes = [
        np.asarray(Image.fromarray(coarse[:, :, c]).resize((width, height)))
        for c in range(channels)
    ]
    return np.stack(planes, axis=2)


def encoded(pixels: NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    """The bytes of an image file."""
    out = io.BytesIO()
    plane = pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    Image.fromarray(plane).save(out, kind, **options)
    return out.getvalue()


@pytest.fixture
def write_folder(tmp_path: Path) -> Callable[[Mapping[str, bytes]], Path]:
    """Writes files given by relative path into a fresh folder and gives its path."""

    def write(files: Mapping[str, bytes], name: str = "images") -> Path:
        root = tmp_path / name
        root.mkdir()
        for path, data in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        return root

    return write


def two_classes(count: int = 12, **size: int) -> dict[str, bytes]:
    """Relative paths and PNG bytes of two classes with ``count`` images each."""
    return {
        f"{name}/{number:03}.png": encoded(picture(1000 * which + number, **size))
        for which, name in enumerate(("cat", "dog"))
        for number in range(count)
    }


@pytest.fixture
def cats_and_dogs() -> Callable[..., dict[str, bytes]]:
    return two_classes


@pytest.fixture
def make_picture() -> Callable[..., NDArray[np.uint8]]:
    return picture


@pytest.fixture
def encode() -> Callable[..., bytes]:
    return encoded
