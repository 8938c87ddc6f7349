"""How long a network takes for a batch on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import torch

from striate.arch import Arch
from striate.building import build

WARM_UP, TIMED = 3, 15
LEAST, SECONDS = 3, 5.0
"""Runs that are timed in any case, and the time after which no further one is begun."""


def latency(arch: Arch, batch: int = 1) -> float:
    """Seconds for one batch: the median of 15 runs after 3 to warm up, or of fewer (3 at least)
    where all together take more than 5 seconds.

    In evaluation mode and fp32, on the CPU, with torch's own number of threads.
    """
    network = build(arch).eval()
    images = torch.zeros(batch, *arch.image)
    seconds: list[float] = []
    with torch.inference_mode():
        for counts in runs():
            begun = time.perf_counter()
            network(images)
            if counts:
                seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def runs() -> Iterator[bool]:
    """For each run whether it counts: those that warm up do not (one where one takes long)."""
    begun = time.perf_counter()
    for _ in range(WARM_UP):
        yield False
        if time.perf_counter() - begun > SECONDS / 4:
            break
    for number in range(TIMED):
        if number >= LEAST and time.perf_counter() - begun > SECONDS:
            return
        yield True
