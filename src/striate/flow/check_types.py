"""What a check is asked, and what it says of one TARGET."""

from __future__ import annotations

from dataclasses import dataclass

from striate.records import Finding


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How one target is to be checked.  Whatever stands here is part of what a cached result is of.

    ``image``: as it was written, or None for the size the network is made for.  ``memory``: as it
    was written, what training may take; ``batch``: images in a training step.
    """

    image: str | None = None
    memory: str | None = None
    batch: int | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One target's findings, or the one line that says why there are none (``error``).

    ``image``: (C, H, W) it was traced at, empty where it was not.  ``unknown``: operations whose
    cost is not counted.  ``files``: the user's files that its modules were made in or called from;
    ``lines``: those places, ``file:line``.
    """

    target: str
    image: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = ()
    unknown: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    error: str | None = None
