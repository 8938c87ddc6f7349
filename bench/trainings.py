"""Trainings that benchmarks compare: each is done once, kept, and taken up again after a kill.

They go through ``striate fit`` as a user's would, up to the test images, which no choice has looked
at: one thread, no probe, a fixed numeric setting.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from common import ROOT
from striate.arch import Arch, to_toml
from striate.data import DataOptions, open_data
from striate.flow.events import Evaluated, FitOptions
from striate.flow.fit import fit_events
from striate.records import EpochRecord

RUNS = ROOT / "runs"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training.  ``part``: how many training images of CIFAR-10, as many of each class."""

    arch: Arch
    seed: int
    epochs: int
    part: int

    @property
    def key(self) -> str:
        named = to_toml(self.arch.model_copy(update={"name": "any"}))
        facts = (named, self.seed, self.epochs, self.part)
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One finished training: test accuracy (0…1) and loss, and the last epoch's training loss."""

    key: str
    name: str
    seed: int
    accuracy: float
    loss: float
    train_loss: float


def outcomes(jobs: Iterable[Job], data: str, kept: Path) -> Iterator[tuple[Job, Outcome]]:
    """Every job with its outcome, trained unless a line of ``kept`` holds it."""
    kept.parent.mkdir(exist_ok=True)
    known = {one.key: one for one in _lines(kept)}
    for job in jobs:
        if job.key not in known:
            known[job.key] = _trained(job, images_of(data, job.part, job.arch.image[1]))
            with kept.open("a", encoding="utf-8") as lines:
                lines.write("\n" * _cut_off(kept) + json.dumps(asdict(known[job.key])) + "\n")
            said = known[job.key]
            print(f"{said.name} seed {said.seed}: {said.accuracy:.2%}", file=sys.stderr, flush=True)
        yield job, known[job.key]


def images_of(data: str, part: int, side: int) -> Path:
    """The first ``part`` training images, as many of each class, and all test images.

    Those of another size are brought to ``side`` by Pillow's bicubic filter.
    """
    file = RUNS / f"cifar10-{part}-{side}.npz"
    if not file.exists():
        whole = open_data(data, DataOptions(val=0))
        labels, classes = whole.train.labels, len(whole.classes)
        first = [np.flatnonzero(labels == one)[: part // classes] for one in range(classes)]
        kept = np.sort(np.concatenate(first))
        beside = file.with_suffix(".part.npz")
        np.savez(
            beside,
            x_train=_sized(whole.train.pixels(kept), side),
            y_train=labels[kept],
            x_test=_sized(whole.test.pixels(np.arange(len(whole.test))), side),
            y_test=whole.test.labels,
        )
        beside.rename(file)
    return file


def _sized(pixels: NDArray[np.uint8 | np.uint16], side: int) -> NDArray[np.uint8 | np.uint16]:
    """(n, C, H, W) as (n, C, side, side)."""
    if pixels.shape[-1] == side:
        return pixels
    colours_last = pixels.transpose(0, 2, 3, 1)
    sized = [
        np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC))
        for one in colours_last
    ]
    return np.stack(sized).transpose(0, 3, 1, 2)


def _trained(job: Job, images: Path) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="training-") as folder:
        toml = Path(folder) / "arch.toml"
        toml.write_text(to_toml(job.arch), encoding="utf-8")
        options = FitOptions(
            arch=str(toml), epochs=job.epochs, seed=job.seed, setting="bf16-channels-last",
            threads=1, workers=0, device="cpu", out=Path(folder) / "run",
        )  # fmt: skip
        events = fit_events(str(images), options)
        train_loss = float("nan")
        for event in events:
            if isinstance(event, EpochRecord):
                train_loss = event.train_loss
            if isinstance(event, Evaluated):
                events.close()  # the report is not wanted
                found = event.evaluation
                return Outcome(
                    key=job.key, name=job.arch.name, seed=job.seed, accuracy=found.accuracy,
                    loss=found.loss, train_loss=train_loss,
                )  # fmt: skip
    raise AssertionError("fit_events ends with an evaluation")


def _lines(kept: Path) -> Iterator[Outcome]:
    """The finished ones; a line that was cut off by a kill is none."""
    if kept.exists():
        for line in kept.read_text(encoding="utf-8").splitlines():
            try:
                yield Outcome(**json.loads(line))
            except json.JSONDecodeError:
                continue


def _cut_off(kept: Path) -> bool:
    return kept.exists() and kept.stat().st_size > 0 and kept.read_bytes()[-1:] != b"\n"
