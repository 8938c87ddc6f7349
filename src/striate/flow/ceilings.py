"""How fast this machine can go: small measurements, each the best of several short rounds.

A ceiling is the best that was seen, since whatever else the machine does only makes it slower.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from PIL import Image
from torch import nn

from striate.data.images.decode import choose_decoder, decode
from striate.runs import SETTINGS, Setting, arithmetic, memory_format, place

SECONDS = 0.25
"""Of each measurement, at least three rounds."""


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """``key``: its name in the document.  ``what``: for people.  ``value`` in ``unit``."""

    key: str
    what: str
    value: float
    unit: str


def best(work: Callable[[], object], seconds: float = SECONDS) -> float:
    """Seconds of the fastest of several rounds, after one to warm up."""
    work()
    rounds: list[float] = []
    begun = perf_counter()
    while len(rounds) < 3 or perf_counter() - begun < seconds:
        started = perf_counter()
        work()
        rounds.append(perf_counter() - started)
    return min(rounds)


def matrix_products(device: str = "cpu") -> list[Ceiling]:
    """Multiply-accumulates a second of a 1024 × 1024 product, in fp32 and in bf16."""
    side = 1024
    found: list[Ceiling] = []
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a, b = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
        seconds = best(_finished(lambda a=a, b=b: a @ b, device))
        found.append(
            Ceiling(
                key=f"matmul_{name}",
                what=f"matrix product, {name}",
                value=side**3 / seconds / 1e9,
                unit="GMAC/s",
            )
        )
    return found


def convolutions(device: str = "cpu") -> list[Ceiling]:
    """Multiply-accumulates a second of a ResNet's 3 × 3 convolution, in each numeric setting.

    64 channels on maps of 56 × 56, a batch of 8, forward and backward.
    """
    return [_convolution(setting, device) for setting in SETTINGS]


def _convolution(setting: Setting, device: str) -> Ceiling:
    conv = nn.Conv2d(64, 64, 3, padding=1, bias=False)
    place(conv, setting, device)
    images = torch.randn(8, 64, 56, 56, device=device).contiguous(
        memory_format=memory_format(setting)
    )
    images.requires_grad_(True)

    def step() -> None:
        with arithmetic(setting, device):
            out = conv(images)
        out.float().sum().backward()
        conv.zero_grad()
        images.grad = None

    macs = 3 * 8 * 56 * 56 * 64 * 64 * 9  # forward, and backward to weights and to input
    seconds = best(_finished(step, device))
    return Ceiling(
        key=f"conv_{setting.replace('-', '_')}",
        what=f"3×3 convolution, {setting}",
        value=macs / seconds / 1e9,
        unit="GMAC/s",
    )


def memory() -> Ceiling:
    """Bytes a second, read and written, of a copy that no cache holds (128 MiB)."""
    source = torch.zeros(128 * 2**20, dtype=torch.uint8)
    target = torch.empty_like(source)
    seconds = best(lambda: target.copy_(source))
    value = 2 * source.numel() / seconds / 1e9
    return Ceiling(key="memory", what="memory, copied", value=value, unit="GB/s")


def decoding() -> Ceiling:
    """Photographs of 500 × 375 a second that one core decodes from JPEG."""
    rows, columns = np.mgrid[0:375, 0:500]
    waves = [127 + 100 * np.sin(rows / (9 + k) + columns / (31 - 5 * k)) for k in range(3)]
    out = io.BytesIO()
    noise = np.random.default_rng(0).normal(0, 8, (375, 500, 3))
    pixels = (np.stack(waves, axis=-1) + noise).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    data, decoder = out.getvalue(), choose_decoder("auto")
    seconds = best(lambda: decode(data, decoder))
    return Ceiling(
        key="jpeg",
        what=f"JPEG of 500×375 by {decoder}, one core",
        value=1 / seconds,
        unit="images/s",
    )


def _finished(work: Callable[[], object], device: str) -> Callable[[], object]:
    """``work``, and on a GPU its end."""
    if device == "cpu":
        return work

    def both() -> None:
        work()
        torch.cuda.synchronize()

    return both
