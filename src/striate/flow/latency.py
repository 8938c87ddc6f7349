"""How long a network takes for a batch on this machine."""

from __future__ import annotations

import statistics
import time

import torch

from striate.arch import Arch
from striate.building import build

WARM_UP, TIMED = 3, 15


def latency(arch: Arch, batch: int = 1) -> float:
    """Seconds for one batch: the median of 15 runs, after 3 to warm up.

    In evaluation mode and fp32, on the CPU, with torch's own number of threads.
    """
    network = build(arch).eval()
    images = torch.zeros(batch, *arch.image)
    seconds: list[float] = []
    with torch.inference_mode():
        for _ in range(WARM_UP):
            network(images)
        for _ in range(TIMED):
            begun = time.perf_counter()
            network(images)
            seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)
