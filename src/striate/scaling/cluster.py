"""How long a training step takes on many devices: a model of arithmetic and messages.

A message of n bytes takes α + n/β seconds (latency, bandwidth).  Summing n bytes over p devices
takes (Thakur, Rabenseifner and Gropp 2005, "Optimization of collective communication operations in
MPICH", sections 4.1 and 4.5; their γ, the time to add two numbers, is left out):

    ring                         2(p − 1)·α      + 2·(p − 1)/p · n/β
    halving and doubling         2·⌈log₂ p⌉·α    + 2·(p − 1)/p · n/β

and gathering n bytes from each of p devices half as many rounds, and (p − 1) · n/β.  Gloo sums in a
ring, NCCL in a ring or, where latency counts, along trees, whose rounds are those of halving.

Gradients travel in buckets while the backward pass goes on (Li et al. 2020, "PyTorch Distributed",
section 3.2.3; Goyal et al. 2017, section 4.1): a bucket leaves when its last gradient is there and
the bucket before has arrived.  What is still under way after the backward pass is exposed.  When a
gradient is there follows from the multiply-accumulates behind it, taken to run at one speed.

Batch norms that are reduced over the devices wait for a gather in the forward pass and a sum in
the backward pass, which nothing hides.  Not in the model: devices that wait for the slowest,
loading, several devices behind one network card, congestion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["ring", "halving"]
KINDS: tuple[Kind, ...] = get_args(Kind)

BUCKET_BYTES = 25 * 2**20
"""Of a bucket of gradients, but for the first, of ``FIRST_BUCKET_BYTES``: torch's defaults."""

FIRST_BUCKET_BYTES = 2**20


@dataclass(frozen=True, kw_only=True)
class Network:
    """``latency``: seconds a message; ``bandwidth``: bytes a second, sent and received at once;
    ``kind``: how sums travel.
    """

    latency: float
    bandwidth: float
    kind: Kind = "ring"

    def rounds(self, devices: int) -> int:
        """Messages one after another until all devices have heard of all."""
        return devices - 1 if self.kind == "ring" else math.ceil(math.log2(devices))

    def sum_seconds(self, devices: int, size: float) -> float:
        """The sum of ``size`` bytes over ``devices``, on each of them."""
        if devices == 1:
            return 0.0
        moved = 2 * (devices - 1) / devices * size / self.bandwidth
        return 2 * self.rounds(devices) * self.latency + moved

    def gather_seconds(self, devices: int, size: float) -> float:
        """``size`` bytes of each of ``devices``, on all of them."""
        return self.rounds(devices) * self.latency + (devices - 1) * size / self.bandwidth


@dataclass(frozen=True, kw_only=True)
class Work:
    """A training step of one device.

    ``images``: its share of a batch.  ``images_per_second``: measured on one device, whole steps.
    ``gradients``: for each layer, in the order of the forward pass, (bytes of its gradients,
    multiply-accumulates of its backward pass).  ``macs``: of the forward pass.
    ``norms``: channels of each batch norm whose statistics are reduced over the devices.
    """

    images: float
    images_per_second: float
    gradients: Sequence[tuple[int, int]]
    macs: int
    norms: Sequence[int] = ()

    @property
    def seconds(self) -> float:
        """Of the arithmetic alone."""
        return self.images / self.images_per_second

    @property
    def backward_share(self) -> float:
        """Of the step's arithmetic that is backward: two thirds where no trace says otherwise."""
        backward = sum(macs for _, macs in self.gradients)
        return backward / (self.macs + backward) if backward else 2 / 3


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step on ``devices``.  Seconds: of arithmetic, of all messages, and of those that arithmetic
    does not hide.
    """

    devices: int
    images: float
    compute: float
    messages: float
    exposed: float

    @property
    def seconds(self) -> float:
        return self.compute + self.exposed

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds

    @property
    def efficiency(self) -> float:
        """Images a second, as a share of what as many devices without messages would reach."""
        return self.compute / self.seconds


def buckets(work: Work) -> list[tuple[float, float]]:
    """(bytes, seconds from the begin of the backward pass until they are there), in order."""
    total = sum(macs for _, macs in work.gradients)
    backward = work.seconds * work.backward_share
    found: list[tuple[float, float]] = []
    held = done = 0.0
    limit = FIRST_BUCKET_BYTES
    for size, macs in reversed(work.gradients):
        done += macs
        held += size
        if held >= limit:
            found.append((held, backward * done / total if total else backward))
            held, limit = 0.0, BUCKET_BYTES
    if held:
        found.append((held, backward))
    return found


def step_on(devices: int, work: Work, network: Network) -> Step:
    """What the model says of a step in which ``devices`` devices each do ``work``."""
    backward = work.seconds * work.backward_share
    arrived = sent = 0.0
    for size, ready in buckets(work):
        takes = network.sum_seconds(devices, size)
        sent += takes
        arrived = max(arrived, ready) + takes
    hidden_not = max(0.0, arrived - backward) if devices > 1 else 0.0
    norms = sum(
        network.gather_seconds(devices, 8 * (2 * channels + 1))
        + network.sum_seconds(devices, 8 * 2 * channels)
        for channels in work.norms
    )
    return Step(
        devices=devices,
        images=devices * work.images,
        compute=work.seconds,
        messages=sent + norms,
        exposed=hidden_not + norms,
    )
