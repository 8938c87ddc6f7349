"""Since when something has been so, of what was seen while a network trained."""

from __future__ import annotations

from collections.abc import Sequence

from striate.records.health import WatchedStep

LOOKS = 3
"""How many looks in a row, the last among them, make it lasting."""


def lasting(seen: Sequence[tuple[WatchedStep, bool]]) -> WatchedStep | None:
    """The first of the looks that are true up to the last; None for fewer than LOOKS of them."""
    since, count = None, 0
    for step, true in reversed(seen):
        if not true:
            break
        since, count = step, count + 1
    return since if count >= LOOKS else None


def when(step: WatchedStep) -> str:
    """``step 40 (epoch 2)``."""
    return f"step {step.step:,} (epoch {step.epoch:,})"
