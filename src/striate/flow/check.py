"""``striate check``: from TARGETs to Findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from striate.checking import check, codes_of
from striate.errors import Interrupted, StriateError
from striate.flow.check_cache import noting_opened, recall, remember
from striate.flow.check_places import placed, toml_lines
from striate.flow.check_sources import is_library
from striate.flow.check_types import Asked, Checked
from striate.flow.sizes import full_image
from striate.flow.targets import Target, resolve
from striate.flow.trace import DEFAULT_IMAGE, trace_target
from striate.records import Finding, Trace


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """A target as it is now: its trace, and what the rules find in it."""

    target: Target
    trace: Trace
    findings: tuple[Finding, ...]


def check_targets(
    targets: Sequence[str], asked: Mapping[str, Asked], *, cache: bool = False
) -> Iterator[Checked]:
    """Check each TARGET in turn; one that cannot be checked does not keep the rest from it.

    ``asked``: how each is checked.  ``cache``: take and keep remembered results.  InputError,
    before the first, where what is asked cannot be: an unknown rule, no image size.
    """
    for target in targets:
        refuse(asked[target])
    read: set[Path] = set()  # also what an earlier target's import read, which is not read again
    for target in targets:
        known = recall(target, asked[target]) if cache else None
        if known is not None:
            yield known
            continue
        try:
            with noting_opened() as opened:
                found = inspect_target(target, asked[target])
        except Interrupted:
            raise
        except StriateError as error:
            yield Checked(target=target, error=str(error))
            continue
        checked = _checked(target, found)
        if cache:
            read |= opened
            remember(checked, asked[target], read)
        yield checked


def _checked(target: str, found: Inspected) -> Checked:
    lines = sorted(_own_lines(found))
    return Checked(
        target=target,
        image=found.trace.image,
        findings=found.findings,
        unknown=found.trace.unknown,
        files=tuple(dict.fromkeys(line.rpartition(":")[0] for line in lines)),
        lines=tuple(lines),
    )


def _own_lines(found: Inspected) -> set[str]:
    """Where the user's own files make or call a module."""
    if found.target.arch is not None:
        return toml_lines(found.target)
    trace = found.trace
    places = {*trace.defined.values(), *(layer.source for layer in trace)}
    return {place for place in places if place and not is_library(place.rpartition(":")[0])}


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
