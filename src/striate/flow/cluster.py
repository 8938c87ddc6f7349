"""``striate cluster TARGET``: a training step on 1 to 1,024 devices, before any is rented."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from striate.errors import InputError, choices
from striate.flow.sizes import parse_bytes
from striate.flow.trace import trace_target
from striate.records import Trace
from striate.scaling import KINDS, Kind, Network, Step, Work, step_on

MOST = 2**20
"""Devices that can be asked for."""

_SECONDS: Mapping[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """``speed``: images a second of training on one device, measured.  ``batch``: images a device.
    ``bandwidth``, ``latency``: of what joins the devices, as text (``25GB/s``, ``10us``).
    ``devices``: ``1:1024`` for the powers of two between, or ``1,8,64``.  ``reduced``: batch norms
    over all devices.
    """

    speed: float
    bandwidth: str
    latency: str = "10us"
    batch: int = 32
    devices: str = "1:1024"
    kind: str = "ring"
    reduced: bool = True
    image: str | None = None


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What was asked about, and the steps by number of devices."""

    trace: Trace
    work: Work
    network: Network
    steps: tuple[Step, ...]

    @property
    def gradient_bytes(self) -> int:
        """Sent by each device in each step."""
        return sum(size for size, _ in self.work.gradients)

    def as_json(self) -> dict[str, Any]:
        work, network = self.work, self.network
        return {
            "target": self.trace.name,
            "image": list(self.trace.image),
            "batch": work.images,
            "images_per_second": work.images_per_second,
            "gradient_bytes": self.gradient_bytes,
            "macs": work.macs,
            "backward_share": work.backward_share,
            "norms": len(work.norms),
            "network": {
                "bandwidth": network.bandwidth,
                "latency": network.latency,
                "kind": network.kind,
            },
            "steps": [
                {
                    "devices": step.devices,
                    "images": step.images,
                    "seconds": step.seconds,
                    "compute": step.compute,
                    "messages": step.messages,
                    "exposed": step.exposed,
                    "images_per_second": step.images_per_second,
                    "efficiency": step.efficiency,
                }
                for step in self.steps
            ],
        }


def cluster(target: str, options: ClusterOptions) -> Cluster:
    """What the model of ``scaling.cluster`` says of TARGET; InputError for values that cannot be,
    and for a network that cannot be counted.
    """
    kind = _kind(options.kind)
    devices = parse_devices(options.devices)
    network = Network(
        latency=parse_seconds(options.latency, option="--latency"),
        bandwidth=parse_bandwidth(options.bandwidth),
        kind=kind,
    )
    trace = trace_target(target, options.image)
    work = work_of(
        trace,
        batch=options.batch,
        images_per_second=options.speed,
        reduced=options.reduced,
    )
    found = tuple(step_on(count, work, network) for count in devices)
    return Cluster(trace=trace, work=work, network=network, steps=found)


def work_of(found: Trace, *, batch: float, images_per_second: float, reduced: bool) -> Work:
    """A step of the traced network on one device; InputError where its operations are not known."""
    if not found.complete or found.unknown:
        what = ", ".join(found.unknown) or "its forward fails"
        raise InputError(f"{found.name}: cannot be counted ({what}); striate trace says where")
    layers = [layer for layer in found.layers if layer.params or layer.backward_macs]
    counted = sum(layer.params for layer in layers)
    gradients = [(4 * layer.params, layer.backward_macs or 0) for layer in layers]
    if found.totals.params > counted:
        gradients.insert(0, (4 * (found.totals.params - counted), 0))
    norms = [layer.shape[1] for layer in found.layers if layer.op == "batch_norm"]
    return Work(
        images=batch,
        images_per_second=images_per_second,
        gradients=gradients,
        macs=found.totals.macs,
        norms=norms if reduced else (),
    )


def parse_devices(text: str) -> tuple[int, ...]:
    """Numbers of devices; InputError for anything else.

    >>> parse_devices("1:8"), parse_devices("2,6")
    ((1, 2, 4, 8), (2, 6))
    """
    mend = "write 1:1024 for the powers of two between, or 1,8,64"
    match = re.fullmatch(r"(\d+):(\d+)", text.replace(" ", ""))
    if match is None:
        numbers = [word.strip() for word in text.split(",")]
        if not all(word.isdecimal() for word in numbers):
            raise InputError(f"--devices {text}: not numbers of devices; {mend}")
        found = [int(word) for word in numbers]
    else:
        found = [int(match[1])]
        while 0 < 2 * found[-1] <= min(int(match[2]), MOST):
            found.append(2 * found[-1])
        if found[-1] > int(match[2]):
            raise InputError(f"--devices {text}: ends before it begins; {mend}")
    if not all(1 <= count <= MOST for count in found):
        raise InputError(f"--devices {text}: from 1 to {MOST:,}; {mend}")
    return tuple(found)


def parse_seconds(text: str, *, option: str) -> float:
    """Read ``10us`` or ``0.2ms``; InputError for anything else.

    >>> parse_seconds("0.5ms", option="--latency")
    0.0005
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zµ]+)", text.strip())
    if match is None or match[2] not in _SECONDS:
        raise InputError(f"{option} {text}: not a time; write 10us, 0.2ms or 500ns")
    return float(match[1]) * _SECONDS[match[2]]


def parse_bandwidth(text: str, *, option: str = "--bandwidth") -> float:
    """Read ``25GB/s`` or, in bits, ``10Gbit/s``, into bytes a second; InputError for anything else.

    >>> parse_bandwidth("10Gbit/s")
    1250000000.0
    """
    number, slash, second = text.strip().partition("/")
    bits = number.lower().endswith("bit")
    if slash != "/" or second != "s" or number[-2:] in ("Gb", "Mb"):
        raise InputError(f"{option} {text}: not a bandwidth; write 25GB/s, or 100Gbit/s for bits")
    size = parse_bytes(number[:-3] if bits else number, option=option)
    return size / 8 if bits else float(size)


def _kind(name: str) -> Kind:
    for kind in KINDS:
        if kind == name:
            return kind
    raise InputError(f"--sum {name}: no way of summing; {choices(name, KINDS)}")
