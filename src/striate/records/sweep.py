"""Designs that were trained side by side: what each costs, how well each does, which are best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from striate.records.finding import Finding

State = Literal["waiting", "running", "finished", "stopped", "failed"]
"""``stopped``: by the pruning rule.  ``failed``: it cannot be trained, and ``why`` says why."""

Judge = Literal["validation", "test"]

COSTS: Mapping[str, str] = {
    "macs": "MACs",
    "params": "parameters",
    "activations": "activations",
    "latency": "measured latency",
}
"""What accuracy is weighed against, by its key in the document."""


LATENCY = "the least of three medians of 15 runs, the designs in turns"
"""How latency is measured: what disturbs one turn is in that turn alone."""


@dataclass(frozen=True, kw_only=True)
class Mean:
    """Over ``n`` seeds.  ``error``: the standard error, s / √n with n − 1 in s; None for one."""

    mean: float
    error: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean | None:
        """None where there are no values.

        >>> Mean.of([0.5, 0.5])
        Mean(mean=0.5, error=0.0, n=2)
        """
        if not values:
            return None
        mean = math.fsum(values) / len(values)
        if len(values) == 1:
            return cls(mean=mean, error=None, n=1)
        spread = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
        return cls(mean=mean, error=math.sqrt(spread / len(values)), n=len(values))

    def as_json(self) -> dict[str, Any]:
        return {"mean": self.mean, "standard_error": self.error, "n": self.n}


@dataclass(frozen=True, kw_only=True)
class SweepRun:
    """One training of one design.  Accuracies in 0…1, of the weights that are kept.

    ``curve``: validation accuracy after each epoch so far.  ``attempts``: how often it was taken
    up.  ``run``: its folder, on ``worker``'s machine.
    """

    seed: int
    state: State
    epochs: int
    curve: tuple[float, ...] = ()
    val_accuracy: float | None = None
    accuracy: float | None = None
    loss: float | None = None
    seconds: float | None = None
    attempts: int = 0
    run: str | None = None
    worker: str | None = None
    why: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "state": self.state,
            "val_accuracy": self.val_accuracy,
            "accuracy": self.accuracy,
            "loss": self.loss,
            "seconds": self.seconds,
            "epoch": len(self.curve),
            "epochs": self.epochs,
            "attempts": self.attempts,
            "run": self.run,
            "why": self.why,
        }


@dataclass(frozen=True, kw_only=True)
class SweepPoint:
    """One design.  ``series``: which lines of a chart it is on (a base, a rule).

    ``axes``: where it stands, by the names of the axes.  ``toml``: the design as a file.
    ``refused``: why it is not trained (an error of the linter's, a network that cannot be built).
    ``latency``: seconds for one batch, measured; None where it was not.  ``also``: other points
    of the sweep that are the very same network.
    """

    name: str
    base: str
    series: tuple[str, ...]
    axes: Mapping[str, Any]
    image: tuple[int, int, int]
    params: int = 0
    macs: int = 0
    activations: int = 0
    toml: str = ""
    findings: tuple[Finding, ...] = ()
    refused: str | None = None
    also: tuple[str, ...] = ()
    runs: tuple[SweepRun, ...] = ()
    latency: float | None = None

    def cost(self, key: str) -> float | None:
        """Of ``COSTS``."""
        return {
            "macs": self.macs,
            "params": self.params,
            "activations": self.activations,
            "latency": self.latency,
        }[key]

    def judged(self, by: Judge) -> Mean | None:
        """The accuracy over its finished runs; None while there is none, and where the pruning
        rule stopped a seed, since the mean over the others would flatter it.
        """
        if any(run.state == "stopped" for run in self.runs):
            return None
        found = [
            run.val_accuracy if by == "validation" else run.accuracy
            for run in self.runs
            if run.state == "finished"
        ]
        return Mean.of([value for value in found if value is not None])

    def as_json(self) -> dict[str, Any]:
        val, test = self.judged("validation"), self.judged("test")
        return {
            "name": self.name,
            "base": self.base,
            "series": list(self.series),
            "axes": dict(self.axes),
            "also": list(self.also),
            "image": list(self.image),
            "params": self.params,
            "macs": self.macs,
            "activations": self.activations,
            "latency": self.latency,
            "val_accuracy": None if val is None else val.as_json(),
            "accuracy": None if test is None else test.as_json(),
            "refused": self.refused,
            "findings": [finding.as_json() for finding in self.findings],
            "runs": [run.as_json() for run in self.runs],
            "toml": self.toml,
        }


def front(points: Sequence[SweepPoint], cost: str, by: Judge) -> tuple[str, ...]:
    """Names of the designs that no other beats: none is at most as dear and at least as accurate,
    and better in one of the two.  Cheapest first; means decide, and errors may overlap.
    """
    known = [
        (price, -judged.mean, point.name)
        for point in points
        if (price := point.cost(cost)) is not None and (judged := point.judged(by)) is not None
    ]
    best, least, found = math.inf, -math.inf, list[str]()
    for price, wrong, name in sorted(known):
        if wrong < best or (wrong == best and price == least):
            best, least = wrong, price
            found.append(name)
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class SweepAxis:
    """``values`` as they are written; ``base``: whose axis it is, None for all of them."""

    name: str
    values: tuple[str, ...]
    base: str | None = None


@dataclass(frozen=True, kw_only=True)
class SweepData:
    """What was trained on.  ``images``: of the splits by name."""

    name: str
    fingerprint: str
    classes: int
    images: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """A sweep, finished or as far as it is.

    ``budgets``: (key, limits) that designs were grown to.  ``judge``: the split by which designs
    are compared.  ``machine``: where latency was measured, of ``latency_batch`` images.
    ``stopping``: the pruning rule in words, None where it was off.
    """

    name: str
    data: SweepData
    bases: tuple[str, ...]
    axes: tuple[SweepAxis, ...]
    rules: tuple[str, ...]
    budget: tuple[str, tuple[float, ...]] | None
    seeds: tuple[int, ...]
    points: tuple[SweepPoint, ...]
    judge: Judge
    setting: str | None
    machine: str | None
    latency_batch: int
    command: str
    date: str
    stopping: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict[str, str])

    def front(self, cost: str) -> tuple[str, ...]:
        """Names of the designs that no other beats at this cost, by ``judge``."""
        return front(self.points, cost, self.judge)

    @property
    def runs(self) -> tuple[SweepRun, ...]:
        """Every training of it."""
        return tuple(run for point in self.points for run in point.runs)

    def as_json(self) -> dict[str, Any]:
        """The ``sweep`` document: its keys do not change without a version bump."""
        return {
            "striate": 1,
            "name": self.name,
            "data": {
                "name": self.data.name,
                "fingerprint": self.data.fingerprint,
                "classes": self.data.classes,
                "images": dict(self.data.images),
            },
            "bases": list(self.bases),
            "axes": [
                {"name": axis.name, "values": list(axis.values), "base": axis.base}
                for axis in self.axes
            ],
            "rules": list(self.rules),
            "budget": None
            if self.budget is None
            else {"key": self.budget[0], "limits": list(self.budget[1])},
            "seeds": list(self.seeds),
            "judge": self.judge,
            "setting": self.setting,
            "stopping": self.stopping,
            "machine": self.machine,
            "latency_batch": self.latency_batch,
            "command": self.command,
            "date": self.date,
            "versions": dict(self.versions),
            "front": {cost: list(self.front(cost)) for cost in COSTS},
            "points": [point.as_json() for point in self.points],
        }
