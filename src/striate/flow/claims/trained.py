"""Networks trained for the claims that need it: by ``fit`` itself, on the built-in digits.

Each is trained once in a process, in a folder that is gone when it is done.

Comes in: names of the zoo.  Goes out: ``Trained``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.data import open_data
from striate.flow.claims.claim import Tick
from striate.flow.events import FitOptions
from striate.flow.fit import fit_events
from striate.flow.load import load
from striate.records import EpochRecord
from striate.runs import Preprocessing

EPOCHS = 10
SEED = 1
"""Where a limit of a trained claim is striate's and not the paper's, it was set on seed 0."""
IMAGES = 256
DATA = "digits"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """``train_error``: mean over the last epoch, 0…1.  ``accuracy``: top-1 on the test split.

    ``images`` (N, C, H, W), ``labels`` (N,): the first of the test split, as the network takes
    them.
    """

    module: nn.Module
    images: Tensor
    labels: NDArray[np.int64]
    train_error: float
    accuracy: float


_KEPT: dict[str, Trained] = {}


def trained(names: Sequence[str], tick: Tick, *, parts: int = 1) -> list[Trained]:
    """These networks, trained or from an earlier claim; ``parts``: of progress that come after."""
    total = EPOCHS * len(names) + parts
    for place, name in enumerate(names):
        if name not in _KEPT:
            before = place * EPOCHS
            _KEPT[name] = _fitted(name, lambda epoch, before=before: tick(before + epoch, total))
        tick((place + 1) * EPOCHS, total)
    return [_KEPT[name] for name in names]


def _fitted(name: str, told: Callable[[int], None]) -> Trained:
    error = float("nan")
    with tempfile.TemporaryDirectory(prefix="striate-") as place:
        out = Path(place) / "run"
        options = FitOptions(arch=name, epochs=EPOCHS, seed=SEED, setting="fp32", out=out)
        told(0)
        for event in fit_events(DATA, options):
            if isinstance(event, EpochRecord):
                error = 1 - event.train_accuracy
                told(event.epoch)
        run = load(out)
    dataset = open_data(DATA)
    places = np.arange(min(IMAGES, len(dataset.test)), dtype=np.int64)
    pixels = torch.as_tensor(dataset.test.pixels(places))
    assert run.result is not None
    return Trained(
        module=run.module.eval(),
        images=Preprocessing.of(dataset)(pixels),
        labels=dataset.test.labels[places],
        train_error=error,
        accuracy=run.result.accuracy,
    )
