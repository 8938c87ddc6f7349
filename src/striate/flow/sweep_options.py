"""What a sweep may be asked, and how its lists are read."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from striate.errors import InputError
from striate.flow.events import FitOptions

MOST_SEEDS = 64


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """What a user may ask of ``sweep``; None leaves a choice to striate.

    ``arch``: the bases, each a TARGET that is an architecture, or ``auto``.  ``axes``: as
    ``--axis`` takes them (``scaling.axes``).  ``macs``, ``params``: budgets that every design is
    grown to (at most one of the two), by each rule of ``vary``.  ``training``: data and recipe as
    ``fit`` takes them.  ``share``: how much of the training images is used.  ``workers``:
    processes here.  ``storage``: where the study lies; None is SQLite in the sweep's folder.
    ``lease``: seconds without a sign of life after which a worker counts as dead.  ``prune``: stop
    hopeless trainings (``sweep_prune.STOPPING``).  ``retry``: train again what had failed.
    """

    arch: tuple[str, ...] = ("auto",)
    axes: tuple[str, ...] = ()
    macs: tuple[float, ...] = ()
    params: tuple[float, ...] = ()
    vary: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    divisor: int | None = None
    training: FitOptions = field(default_factory=FitOptions)
    share: float = 1.0
    workers: int = 1
    storage: str | None = None
    name: str | None = None
    out: Path | None = None
    lease: int = 60
    prune: bool = False
    retry: bool = False
    latency_batch: int = 1
    command: str | None = None


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read ``0``, ``0,1,5`` or ``0:2``, both ends included; InputError for anything else.

    >>> parse_seeds("0:2"), parse_seeds("7,1")
    ((0, 1, 2), (7, 1))
    """
    span = re.fullmatch(r"\s*(\d+)\s*(?::|…|\.\.\.?)\s*(\d+)\s*", text)
    if span is not None:
        first, last = int(span[1]), int(span[2])
        if first > last:
            raise InputError(f"--seeds {text}: ends before it begins; write {last}:{first}")
        if last - first >= MOST_SEEDS:
            raise InputError(f"--seeds {text}: {last - first + 1} seeds; at most {MOST_SEEDS}")
        return tuple(range(first, last + 1))
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"\d+", part) for part in parts):
        raise InputError(f"--seeds {text}: not seeds; write 0:2, or 0,1,2")
    seeds = tuple(map(int, parts))
    if len(set(seeds)) < len(seeds):
        raise InputError(f"--seeds {text}: one is given twice; leave it out")
    if max(seeds) > 2**31:
        raise InputError(f"--seeds {text}: a seed is at most {2**31}")
    return seeds


def parse_amounts(text: str, option: str) -> tuple[float, ...]:
    """Read ``20M,40M``; InputError for anything else.

    >>> parse_amounts("20M,1.2G", "--macs")
    (20000000.0, 1200000000.0)
    """
    units = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
    found: list[float] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*([kMGT]?)\s*", part)
        value = float(match[1]) * units[match[2]] if match else 0.0
        if not 0 < value < math.inf:
            raise InputError(
                f"{option} {text}: {part.strip() or 'nothing'} is no amount; write 40M"
            )
        if value in found:
            raise InputError(f"{option} {text}: {part.strip()} is given twice; leave one out")
        found.append(value)
    return tuple(found)


def amount(value: float) -> str:
    """An amount as it is written on the command line, short: ``40M``.

    >>> amount(4e7), amount(1.25e9), amount(900)
    ('40M', '1.25G', '900')
    """
    for letter, unit in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= unit:
            return f"{value / unit:.6g}{letter}"
    return f"{value:.6g}"
