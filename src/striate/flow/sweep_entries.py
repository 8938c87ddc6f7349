"""What a study knows of a training, as plain records."""

from __future__ import annotations

import math
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

MOST_DEATHS = 3
"""How often in a row a training may take its worker with it, before an epoch is done."""

Ended = Literal["waiting", "running", "finished", "stopped", "failed", "lost"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A training that is to be done.  ``params``: whole numbers that a dashboard may show."""

    key: str
    name: str
    seed: int
    params: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One time that a training was taken up, or is to be.

    ``curve``: validation accuracy by epoch.  ``facts``: what was told at its end.  ``lost``: its
    worker died, or ``left`` it because it was asked to stop; another entry goes on with it.
    """

    number: int
    key: str
    state: Ended
    attempt: int
    curve: Mapping[int, float] = field(default_factory=dict[int, float])
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    worker: Mapping[str, Any] = field(default_factory=dict[str, Any])
    why: str | None = None
    left: bool = False


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What ``settle`` did, in names: new trainings, those taken up again, those given up."""

    added: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    given_up: tuple[str, ...] = ()


def this_machine() -> str:
    """Its name, and when it was started where the system tells: processes of it can be looked at.

    A process of another machine, or of this one before it was started anew, cannot.
    """
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{socket.gethostname()} {boot.read_text().strip() if boot.exists() else ''}".strip()


def entry_of(trial: FrozenTrial) -> Entry:
    """A trial of ours as a record."""
    known: dict[str, Any] = trial.user_attrs
    states: dict[str, Ended] = {
        "WAITING": "waiting",
        "RUNNING": "running",
        "COMPLETE": "finished",
        "PRUNED": "stopped",
        "FAIL": "failed" if known.get("final") else "lost",
    }
    return Entry(
        number=trial.number,
        key=known["key"],
        state=states[trial.state.name],
        attempt=known["attempt"],
        curve={
            epoch: value
            for epoch, value in sorted(trial.intermediate_values.items())
            if math.isfinite(value)
        },
        facts=known.get("facts", {}),
        worker=known.get("worker", {}),
        why=known.get("why"),
        left=bool(known.get("left")),
    )


def hopeless_cause(known: Sequence[Entry]) -> bool:
    """Whether the last workers all died over it, and none did an epoch more than the one before."""
    deaths, furthest = 0, 0
    for entry in known:
        epoch = max(entry.curve, default=0)
        deaths = 0 if entry.left or epoch > furthest else deaths + 1
        furthest = max(furthest, epoch)
    return deaths >= MOST_DEATHS
