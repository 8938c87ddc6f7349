"""What the rows of other libraries in ``train.py`` share: the images, the clocks, the line printed.

Nothing of striate is imported: it neither helps nor hinders the library that is measured.  A row is
a process of its own, ``python bench/train_NAME.py DATA --minutes 5 --seed 0``, which prints a JSON
line per evaluation on all test images.  Two clocks run in it.  ``seconds`` is training alone.
``whole`` counts from the start of the process, with imports and building.  Both stand still in
evaluation, while the images are laid out as the library reads them, and while a few steps are timed
to choose a number of epochs: what its user has done or knows before the run is not held against it.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

_OFFSET = time.time() - psutil.Process().create_time() - time.perf_counter()
"""Added to the performance counter it gives the seconds since the process began."""

TEST_IMAGES = 10_000
SKIPPED, TIMED = 20, 60
"""Steps of the trial before the number of epochs is chosen: those let pass, those timed."""


def arguments(about: str | None) -> argparse.Namespace:
    """``data`` (folder of train.parquet and test.parquet), ``minutes`` and ``seed``."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of train.parquet and test.parquet")
    parser.add_argument("--minutes", type=float, default=5.0, help="training time (default: 5)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if not given.minutes > 0:
        parser.error(f"--minutes {given.minutes}: must be above 0")
    for split in ("train", "test"):
        if not (given.data / f"{split}.parquet").is_file():
            parser.error(f"{given.data}: has no {split}.parquet")
    return given


def encoded(data: Path, split: str) -> tuple[list[bytes], list[int]]:
    """Every image's file, and its label, of ``train`` or ``test``."""
    table = pq.read_table(data / f"{split}.parquet", columns=["image", "label"])
    images = [image["bytes"] for image in table["image"].to_pylist()]
    return images, table["label"].to_pylist()


def pixels(data: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (N, H, W, 3) and labels (N, 1), as ``keras.datasets`` hands them out."""
    images, labels = encoded(data, split)
    decoded = [np.asarray(Image.open(io.BytesIO(image)).convert("RGB")) for image in images]
    return np.stack(decoded), np.array(labels, dtype=np.uint8)[:, None]


def class_folders(data: Path, into: Path) -> None:
    """``into/train/LABEL/00000.jpg`` … and ``into/test/…``: the bytes as the data has them."""
    for split in ("train", "test"):
        images, labels = encoded(data, split)
        for label in set(labels):
            (into / split / str(label)).mkdir(parents=True)
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            ending = "jpg" if image.startswith(b"\xff\xd8") else "png"
            (into / split / str(label) / f"{number:05}.{ending}").write_bytes(image)


def epochs_that_fit(step_seconds: float, steps: int, minutes: float) -> int:
    """How many whole epochs of ``steps`` steps end within ``minutes``; one at the least."""
    return max(1, int(minutes * 60 / (step_seconds * steps)))


class Row:
    """The clocks of one training, and the lines it prints, with the versions of ``packages``."""

    def __init__(self, name: str, minutes: float, packages: tuple[str, ...]) -> None:
        self.name = name
        self._packages = packages
        self.limit = minutes * 60
        self._aside = 0.0
        self._began: float | None = None

    def begin(self) -> None:
        """Training starts now."""
        self._began = self._now()

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return self._seconds() >= self.limit

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Neither clock runs in here."""
        entered = time.perf_counter()
        try:
            yield
        finally:
            self._aside += time.perf_counter() - entered

    def say(self, *, epoch: float, correct: int, of: int, settings: str | None = None) -> None:
        """Print an evaluation; the last one of a run brings its ``settings``."""
        if of != TEST_IMAGES:
            raise ValueError(f"{self.name}: {of} images were classified, not all {TEST_IMAGES}")
        line: dict[str, object] = {
            "row": self.name,
            "seconds": round(self._seconds(), 3),
            "whole": round(self._now(), 3),
            "epoch": round(epoch, 3),
            "accuracy": correct / of,
        }
        if settings is not None:
            line |= {"final": True, "versions": self._versions(), "settings": settings}
        print(json.dumps(line), flush=True)

    def _now(self) -> float:
        return time.perf_counter() + _OFFSET - self._aside

    def _seconds(self) -> float:
        return 0.0 if self._began is None else self._now() - self._began

    def _versions(self) -> dict[str, str]:
        return {name: version(name) for name in (*self._packages, "pillow", "numpy")}
