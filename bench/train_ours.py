"""``striate fit --recipe quick``: one row of ``bench/train.py``.

    python bench/train_ours.py ../shared/data/cifar10 --seed 0 --minutes 6

What a user's command line does, up to the weights: choosing, probing, training on all 50,000 images
(``--val 0``, as airbench has them).  Its clock runs from when the images are read, as for the
others; it stands while accuracy is measured: after an epoch, on that epoch's checkpoint, and in the
end, by ``fit`` itself.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from striate.arch import load_arch
from striate.building import build
from striate.data import Dataset
from striate.flow.events import DataReady, Evaluated, FitOptions, Training
from striate.flow.fit import fit_events
from striate.records import EpochRecord
from striate.runs import (
    Preprocessing,
    known_setting,
    load_weights,
    logits_of,
    newest,
    place,
    put_state,
)
from train_rows import Row, options, six_views


class AsTrained(nn.Module):
    """A network in the numeric setting that it was trained in."""

    def __init__(self, network: nn.Module, setting: str) -> None:
        super().__init__()
        self.setting = known_setting(setting)
        self.network = place(network, self.setting).eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return logits_of(self.network, x, self.setting, 10)


def main() -> None:
    asked = options(__doc__)
    with tempfile.TemporaryDirectory(prefix="quick-") as folder:
        out = Path(folder) / "run"
        wanted = FitOptions(
            recipe="quick", minutes=asked.minutes, seed=asked.seed, val=0.0, out=out, reprobe=True
        )
        events = fit_events(asked.data, wanted)
        row, dataset, setting, tested = None, None, "", None
        started = time.perf_counter()
        for event in events:
            now = time.perf_counter()
            if isinstance(event, Evaluated):
                break  # what came before was testing; what follows is looking
            if row is not None:
                row.seconds += now - started
            if isinstance(event, DataReady):
                dataset = event.dataset
                row = Row("striate, quick", torch.from_numpy(dataset.test.labels))
            elif isinstance(event, Training):
                setting = event.recipe.setting
                assert dataset is not None
                tested = prepared(dataset)
            elif isinstance(event, EpochRecord) and row is not None and tested is not None:
                found = newest(out / "checkpoint")
                assert found is not None
                network = build(load_arch(out / "arch.toml"))
                put_state(network, found.checkpoint.part("module"), where="the checkpoint")
                row.tested(event.epoch, AsTrained(network, setting), tested)
            started = time.perf_counter()
        assert row is not None
        assert tested is not None
        network = build(load_arch(out / "arch.toml"))
        load_weights(out / "weights.safetensors", network)
        row.tested(-1, AsTrained(network, setting), tested, final=True, views=six_views)


def prepared(dataset: Dataset) -> torch.Tensor:
    """All test images as the network takes them."""
    pixels = dataset.test.pixels(np.arange(len(dataset.test)))
    return Preprocessing.of(dataset)(torch.as_tensor(pixels))


if __name__ == "__main__":
    main()
