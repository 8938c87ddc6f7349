"""``striate check``: from TARGETs to Findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from striate.checking import check, codes_of
from striate.errors import Interrupted, StriateError
from striate.flow.check_places import placed
from striate.flow.sizes import full_image
from striate.flow.targets import Target, resolve
from striate.flow.trace import DEFAULT_IMAGE, trace_target
from striate.records import Finding, Trace


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How one target is to be checked.  Whatever stands here is part of what a cached result is of.

    ``image``: as it was written, or None for the size the network is made for.
    """

    image: str | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One target's findings, or the one line that says why there are none (``error``).

    ``image``: (C, H, W) it was traced at, empty where it was not.  ``unknown``: operations whose
    cost is not counted.
    """

    target: str
    image: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = ()
    unknown: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """A target as it is now: its trace, and what the rules find in it."""

    target: Target
    trace: Trace
    findings: tuple[Finding, ...]


def check_targets(targets: Sequence[str], asked: Asked) -> Iterator[Checked]:
    """Check each TARGET in turn; one that cannot be checked does not keep the rest from it.

    InputError, before the first, where what is asked cannot be: an unknown rule, no image size.
    """
    refuse(asked)
    for target in targets:
        try:
            found = inspect_target(target, asked)
        except Interrupted:
            raise
        except StriateError as error:
            yield Checked(target=target, error=str(error))
            continue
        yield Checked(
            target=target,
            image=found.trace.image,
            findings=found.findings,
            unknown=found.trace.unknown,
        )


def refuse(asked: Asked) -> None:
    """InputError for what no target could be asked."""
    codes_of(asked.select, "select")
    codes_of(asked.ignore, "ignore")
    full_image(asked.image, DEFAULT_IMAGE)


def inspect_target(target: str | Target, asked: Asked) -> Inspected:
    """Trace and check one TARGET; StriateError where it cannot be traced at all."""
    if isinstance(target, str):
        target = resolve(target)
    traced = trace_target(target, asked.image)
    found = check(traced, select=asked.select, ignore=asked.ignore)
    return Inspected(target=target, trace=traced, findings=placed(found, target))
