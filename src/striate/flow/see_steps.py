"""Parts of ``striate see`` that are no way of looking: what is trained first.  Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Step:
    """A part of the work, for whoever shows progress; ``what`` it is, in a line."""

    name: str
    what: str


TWIN = Step(name="twin", what="training the twin")
CONFIRM = Step(name="confirm", what="training without the tail")
