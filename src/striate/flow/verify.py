"""``striate verify``: published claims as measurements on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from striate.flow.claims import GROUPS, Group, Verdict, chosen, claim_json

Progress = Callable[[Group, int, int], None]
"""Called with the group at work, and how many of its parts are done, of how many."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One group's claims with what was measured, and the seconds that took."""

    group: Group
    verdicts: tuple[Verdict, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Verified:
    """All that was asked for, in order."""

    groups: tuple[Measured, ...]

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Every claim, in order."""
        return tuple(verdict for measured in self.groups for verdict in measured.verdicts)

    @property
    def holds(self) -> bool:
        """Whether every one of them does."""
        return all(verdict.holds for verdict in self.verdicts)

    def as_json(self) -> dict[str, Any]:
        """The ``verify`` document: its keys do not change without a version bump."""
        return {
            "striate": 1,
            "claims": [verdict.as_json() for verdict in self.verdicts],
            "seconds": {measured.group.name: measured.seconds for measured in self.groups},
        }


def verify(
    only: Sequence[str] = (), *, train: bool = False, progress: Progress | None = None
) -> Verified:
    """Measure the claims of these names (all that need no training; with ``train`` all).

    >>> from striate import verify
    >>> verify(["lengths"]).holds
    True
    """
    return Verified(groups=tuple(verify_groups(only, train=train, progress=progress)))


def verify_groups(
    only: Sequence[str] = (), *, train: bool = False, progress: Progress | None = None
) -> Iterator[Measured]:
    """``verify``, group by group as they are done.  InputError before any is measured."""
    return _measured(chosen(only, train=train), progress)


def _measured(asked: Sequence[Any], progress: Progress | None) -> Iterator[Measured]:
    for group, claims in asked:

        def tick(done: int, total: int, group: Group = group) -> None:
            if progress is not None:
                progress(group, done, total)

        tick(0, 1)
        began = time.perf_counter()
        by_name = {claim.name: claim for claim in claims}
        verdicts = tuple(
            Verdict(name=f"{group.name}/{name}", claim=by_name[name], measured=value)
            for name, value in group.measure(list(by_name), tick)
        )
        tick(1, 1)
        yield Measured(group=group, verdicts=verdicts, seconds=time.perf_counter() - began)


def listed() -> dict[str, Any]:
    """Every claim there is, unmeasured: the ``verify --list`` document."""
    return {
        "striate": 1,
        "claims": [
            {**claim_json(f"{group.name}/{claim.name}", claim), "minutes": group.minutes}
            for group in GROUPS
            for claim in group.claims
        ],
    }
