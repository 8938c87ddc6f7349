"""What the rows of ``bench/train.py`` share: the images, the clock, the two ways of testing.

Each row is a process of its own that prints one JSON line for each evaluation.  Its clock runs
while it trains and stands while it tests.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

STARTED = time.perf_counter()
BATCH = 2000

Views = Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]


def options(doc: str | None) -> argparse.Namespace:
    """DATA, ``--seed`` and ``--minutes``."""
    asked = argparse.ArgumentParser(description=doc)
    asked.add_argument("data", help="CIFAR-10 as striate opens it")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--minutes", type=float, default=6.0, help="where the row has a budget")
    return asked.parse_args()


def images_of(data: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images (N, 3, 32, 32) uint8 and labels (N,), test images and labels."""
    from striate.data import DataOptions, open_data

    whole = open_data(data, DataOptions(val=0))
    found: list[Tensor] = []
    for split in (whole.train, whole.test):
        found.append(torch.from_numpy(split.pixels(np.arange(len(split)))))
        found.append(torch.from_numpy(split.labels))
    return found[0], found[1], found[2], found[3]


def plain(logits: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """The logits of the images as they are."""
    return logits(images)


def six_views(logits: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Jordan 2024's: the image and both shifts by a pixel to a corner, each mirrored too; half the
    weight is the unshifted ones'.
    """

    def mirrored(seen: Tensor) -> Tensor:
        return 0.5 * logits(seen) + 0.5 * logits(seen.flip(-1))

    height, width = images.shape[2:]
    padded = F.pad(images, (1, 1, 1, 1), "reflect")
    moved = [padded[:, :, :height, :width], padded[:, :, 2 : height + 2, 2 : width + 2]]
    return 0.5 * mirrored(images) + 0.25 * sum((mirrored(one) for one in moved), torch.zeros(()))


class Row:
    """One training: its clock, and what it printed.  ``truth``: (N,) labels of the test images."""

    def __init__(self, name: str, truth: Tensor) -> None:
        self.name, self.truth = name, truth
        self.seconds, self.paused = 0.0, time.perf_counter() - STARTED

    @contextmanager
    def clock(self) -> Generator[None]:
        """The clock runs inside."""
        started = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - started

    def tested(
        self,
        epoch: int,
        network: nn.Module,
        images: Tensor,
        *,
        final: bool = False,
        views: Views | None = None,
    ) -> None:
        """Print the accuracy on ``images`` (as the network takes them), and by ``views`` too."""
        said: dict[str, object] = {
            "row": self.name,
            "epoch": epoch,
            "seconds": self.seconds,
            "accuracy": self._accuracy(network, images, plain),
        }
        if views is not None:
            said["views"] = self._accuracy(network, images, views)
        print(json.dumps({**said, "final": final}), flush=True)

    def _accuracy(self, network: nn.Module, images: Tensor, views: Views) -> float:
        def logits(seen: Tensor) -> Tensor:
            return network(seen.contiguous(memory_format=torch.channels_last)).float()

        right = 0
        with torch.no_grad():
            for at in range(0, len(images), BATCH):
                found = views(logits, images[at : at + BATCH]).argmax(dim=1)
                right += int((found == self.truth[at : at + BATCH]).sum())
        return right / len(images)
