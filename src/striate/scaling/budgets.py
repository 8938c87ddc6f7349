"""What a network may cost: ``macs=1.2G,params=5M``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from striate.errors import InputError, choices
from striate.records.wording import count, size

UNITS: Mapping[str, str] = {
    "macs": "MACs",
    "params": "parameters",
    "activations": "activations",
    "train_bytes": "bytes to train",
    "latency": "seconds",
}
"""Every budget, and the unit it is counted in.  ``train_bytes`` are of the batch that is asked for,
without an optimiser's state; ``latency`` is measured, on this machine."""

_DECIMAL = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_BYTES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
_TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_SUFFIXES = {"train_bytes": {**_DECIMAL, **_BYTES}, "latency": _TIME}
_EXAMPLES = {"train_bytes": "train_bytes=8GiB", "latency": "latency=20ms", "macs": "macs=1.2G"}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """At most ``limit`` of ``key``, in the unit of ``UNITS``."""

    key: str
    limit: float


def parse_budgets(text: str, *, option: str = "--to") -> tuple[Budget, ...]:
    """Read ``KEY=VALUE``, several joined by commas; InputError, which names ``option``, for
    anything else.

    >>> parse_budgets("macs=1.2G, train_bytes=2GiB")[1]
    Budget(key='train_bytes', limit=2147483648.0)
    """
    found: dict[str, Budget] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise InputError(
                f"{option} {part.strip() or repr(text)}: write KEY=VALUE, such as macs=1.2G"
            )
        if key not in UNITS:
            raise InputError(f"{option} {part.strip()}: no budget {key!r}; {choices(key, UNITS)}")
        if key in found:
            raise InputError(f"{option} {text}: {key} is given twice; leave one out")
        found[key] = Budget(key=key, limit=_limit(key, value, f"{option} {part.strip()}"))
    return tuple(found.values())


def named_budgets(limits: Mapping[str, float]) -> tuple[Budget, ...]:
    """The same from a mapping, in the units of ``UNITS``; InputError for an unknown key."""
    for key, limit in limits.items():
        if key not in UNITS:
            raise InputError(f"no budget {key!r}; {choices(key, UNITS)}")
        if not 0 < limit < math.inf:
            raise InputError(f"{key} = {limit}: a budget is a number above 0")
    return tuple(Budget(key=key, limit=float(limit)) for key, limit in limits.items())


def amount(key: str, value: float) -> str:
    """A cost in its own unit, short.

    >>> amount("macs", 1.2e9), amount("train_bytes", 2**31), amount("latency", 0.02)
    ('1.20G', '2.0 GiB', '20 ms')
    """
    if key == "train_bytes":
        return size(value)
    return f"{value * 1e3:.3g} ms" if key == "latency" else count(round(value))


def _limit(key: str, value: str, said: str) -> float:
    suffixes = _SUFFIXES.get(key, _DECIMAL)
    match = re.fullmatch(r"([0-9][0-9_]*(?:\.[0-9]+)?(?:e[0-9]+)?)\s*([A-Za-z]*)", value)
    example = _EXAMPLES.get(key, f"{key}=5M")
    if match is None or match[2] not in suffixes:
        units = ", ".join(suffix for suffix in suffixes if suffix)
        raise InputError(f"{said}: not an amount; write it like {example} ({units})")
    limit = float(match[1].replace("_", "")) * suffixes[match[2]]
    if not 0 < limit < math.inf:
        raise InputError(f"{said}: a budget is above 0; write it like {example}")
    return limit
