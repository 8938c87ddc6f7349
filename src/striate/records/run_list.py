"""Runs beside each other: what each is and how far it came, and in what some of them differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, cast

from striate.records.run import EpochRecord

RunState = Literal["finished", "training", "interrupted", "diverged", "broken"]
"""``training``: a process is writing to it now."""


@dataclass(frozen=True, kw_only=True)
class SickLayer:
    """``what`` has been wrong with ``layer`` since ``step`` (of ``epoch``), in every look at it."""

    layer: str
    what: str
    step: int
    epoch: int

    def __str__(self) -> str:
        return f"{self.layer}: {self.what} since step {self.step:,} (epoch {self.epoch:,})"


@dataclass(frozen=True, kw_only=True)
class ListedRun:
    """One run's folder; None is what it does not tell (yet).

    ``run``: its folder.  ``why`` it is broken, diverged or went back.  ``data``: DATA as the run
    was given it.  ``params``: parameters, each counted once.  ``accuracy`` (0…1), ``loss`` (nats),
    ``ece``: on the test split, of a finished run.  ``val_accuracy``: on the validation split, of
    the weights kept so far.  ``epoch``: epochs that have ended, of ``epochs``; ``step``: optimiser
    steps that have metrics, of ``steps``.  ``seconds``: of training so far, validation included.
    ``when``: when its metrics were last written to, in seconds since 1970.  ``looks``: steps in
    which its layers were looked at; ``sick``: those with which something was lastingly wrong.
    """

    run: str
    name: str
    state: RunState
    why: str | None = None
    data: str | None = None
    network: str | None = None
    params: int | None = None
    accuracy: float | None = None
    loss: float | None = None
    ece: float | None = None
    val_accuracy: float | None = None
    epoch: int = 0
    epochs: int | None = None
    step: int = 0
    steps: int | None = None
    seconds: float | None = None
    images_per_second: float | None = None
    setting: str | None = None
    when: float | None = None
    looks: int = 0
    sick: tuple[SickLayer, ...] = ()

    @property
    def progress(self) -> str:
        """How far it came, in words: ``finished``, ``interrupted at epoch 3 of 30``."""
        if self.state in ("finished", "broken"):
            return self.state
        if self.state == "interrupted" and self.epoch == self.epochs:
            return "interrupted after its last epoch, before it was tested"
        return f"{self.state} at epoch {self.epoch} of {self.epochs}"

    def as_json(self) -> dict[str, Any]:
        """Plain values; ``when`` as ISO 8601 in UTC."""
        when = None if self.when is None else datetime.fromtimestamp(self.when, UTC)
        return {
            **vars(self),
            "when": None if when is None else when.isoformat(timespec="seconds"),
            "sick": [dict(vars(layer)) for layer in self.sick],
        }


SortKey = Literal[
    "when", "name", "data", "network", "params", "accuracy", "loss", "epochs", "seconds",
    "setting", "state",
]  # fmt: skip
_KEYS: dict[str, tuple[Callable[[ListedRun], Any], bool]] = {
    "when": (lambda run: run.when, True),
    "name": (lambda run: run.name, False),
    "data": (lambda run: run.data, False),
    "network": (lambda run: run.network, False),
    "params": (lambda run: run.params, False),
    "accuracy": (lambda run: run.accuracy, True),
    "loss": (lambda run: run.loss, False),
    "epochs": (lambda run: run.epoch, True),
    "seconds": (lambda run: run.seconds, False),
    "setting": (lambda run: run.setting, False),
    "state": (lambda run: run.state, False),
}
SORT_KEYS = tuple(_KEYS)


def ordered(
    runs: Sequence[ListedRun], key: SortKey = "when", *, reverse: bool = False
) -> tuple[ListedRun, ...]:
    """``runs`` by ``key``: the newest, most accurate or longest trained first, else the least.

    Runs that have no such value come last, whichever way; equal ones by name.
    """
    value, falling = _KEYS[key]
    named = sorted(runs, key=lambda run: run.name)
    known = [run for run in named if value(run) is not None]
    rest = [run for run in named if value(run) is None]
    # Sorting is stable, also when reversed: equal values stay in the order of their names.
    return (*sorted(known, key=value, reverse=falling != reverse), *rest)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A setting that is not the same in all runs: its value in each, in the runs' order.

    None where a run has no such setting.
    """

    key: str
    values: tuple[Any, ...]

    def as_json(self) -> dict[str, Any]:
        return {"key": self.key, "values": list(self.values)}


@dataclass(frozen=True, kw_only=True)
class Gap:
    """How a run does on the first run's test images, each image judged by both.

    ``only_first``, ``only_this``: images that one alone gets right.  ``accuracy``: this run's less
    the first's.  ``error``: its standard error over the images, from those counts.
    """

    images: int
    only_first: int
    only_this: int
    accuracy: float
    error: float

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True, kw_only=True)
class RunsCompared:
    """Runs side by side.

    ``differences``: by part (``recipe``, ``network``, ``data``, ``versions``), what is not the same
    in all.  ``gaps``: for each run its Gap to the first; None for the first, and where the two
    were not tested on the same images.  ``curves``: the epochs of each.  ``notes``: what must be
    known before the numbers are compared, a sentence each.
    """

    runs: tuple[ListedRun, ...]
    differences: Mapping[str, tuple[Difference, ...]]
    gaps: tuple[Gap | None, ...]
    curves: tuple[tuple[EpochRecord, ...], ...]
    notes: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """The document of ``striate runs A B``."""
        return {
            "striate": 1,
            "runs": [run.as_json() for run in self.runs],
            "differences": {
                part: [one.as_json() for one in found] for part, found in self.differences.items()
            },
            "gaps": [None if gap is None else gap.as_json() for gap in self.gaps],
            "curves": [[dict(vars(epoch)) for epoch in curve] for curve in self.curves],
            "notes": list(self.notes),
        }


def differences(settings: Sequence[Mapping[str, Any]]) -> tuple[Difference, ...]:
    """The keys whose values are not the same in all ``settings``, in the order they first come.

    Tables and lists are entered: ``augment.flip``, ``stages.1.width``.

    >>> differences([{"lr": 0.1, "clip": 1.0}, {"lr": 0.2, "clip": 1.0}])
    (Difference(key='lr', values=(0.1, 0.2)),)
    """
    flat = [dict(_flat(one, "")) for one in settings]
    keys = list(dict.fromkeys(key for one in flat for key in one))
    found = (Difference(key=key, values=tuple(one.get(key) for one in flat)) for key in keys)
    return tuple(one for one in found if any(value != one.values[0] for value in one.values))


def _flat(value: Any, at: str) -> list[tuple[str, Any]]:
    inner: Iterable[tuple[Any, Any]]
    if isinstance(value, Mapping):
        inner = cast("Mapping[Any, Any]", value).items()
    elif isinstance(value, (list, tuple)):
        items = list(cast("Sequence[Any]", value))
        if not any(isinstance(item, (Mapping, list)) for item in items):
            return [(at, items)]
        inner = enumerate(items)
    else:
        return [(at, value)]
    head = f"{at}." if at else ""
    return [found for key, one in inner for found in _flat(one, f"{head}{key}")]
