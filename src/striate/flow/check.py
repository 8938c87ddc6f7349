"""``striate check``: from TARGETs to Findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from striate.arch import Arch
from striate.checking import Given, check, codes_of
from striate.errors import Interrupted, StriateError
from striate.flow.check_cache import noting_opened, recall, remember
from striate.flow.check_places import placed, toml_lines
from striate.flow.check_sources import is_library
from striate.flow.check_types import Asked, Checked
from striate.flow.sizes import full_image, parse_bytes
from striate.flow.targets import Target, from_arch, resolve
from striate.flow.trace import DEFAULT_IMAGE, trace_target
from striate.records import Finding, Trace

if TYPE_CHECKING:
    from torch import nn


RUN_FILE = "run.json"
"""What ``striate.runs`` keeps in every run's folder."""


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
    read: set[Path] = set()  # by Python: what an earlier target's import read is not read again
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
            own = found.target.arch is None
            read |= opened if own else set()
            remember(checked, asked[target], read if own else ())
        yield checked


def check_module(
    model: nn.Module | Callable[[], nn.Module] | Arch, image: Sequence[int], asked: Asked
) -> Checked:
    """Check a module, a function that makes one, or an architecture, at an image of (C, H, W).

    The lines that made its modules are known for a function only.  TraceError for what cannot be
    traced at all.
    """
    from striate.tracing import trace

    size = "x".join(map(str, image))
    if isinstance(model, Arch):
        found = inspect_target(from_arch(model, model.name), replace(asked, image=size))
        return _checked(model.name, found)
    traced = trace(model, image)
    findings = check(traced, select=asked.select, ignore=asked.ignore, given=given_of(asked))
    name = getattr(model, "__qualname__", type(model).__qualname__)
    return _told(name, traced, findings, _own_lines(traced))


def _checked(target: str, found: Inspected) -> Checked:
    own = found.target.arch is None
    lines = _own_lines(found.trace) if own else toml_lines(found.target)
    return _told(target, found.trace, found.findings, lines)


def _told(target: str, trace: Trace, findings: Sequence[Finding], lines: set[str]) -> Checked:
    return Checked(
        target=target,
        image=trace.image,
        findings=tuple(findings),
        unknown=trace.unknown,
        files=tuple(sorted({line.rpartition(":")[0] for line in lines})),
        lines=tuple(sorted(lines)),
    )


def is_run_folder(target: str) -> bool:
    """Whether a TARGET is the folder of a run, told without loading torch."""
    return (Path(target) / RUN_FILE).is_file()


def _own_lines(trace: Trace) -> set[str]:
    """Where the user's own files make or call a module."""
    places = {*trace.defined.values(), *(layer.source for layer in trace)}
    return {place for place in places if place and not is_library(place.rpartition(":")[0])}


def refuse(asked: Asked) -> None:
    """InputError for what no target could be asked."""
    codes_of(asked.select, "select")
    codes_of(asked.ignore, "ignore")
    full_image(asked.image, DEFAULT_IMAGE)
    given_of(asked)


def given_of(asked: Asked) -> Given:
    """What the rules are given besides a trace; InputError for a memory that is no size."""
    memory = None if asked.memory is None else parse_bytes(asked.memory)
    return Given(memory=memory, batch=asked.batch)


def inspect_target(target: str | Target, asked: Asked) -> Inspected:
    """Trace and check one TARGET, or a run's folder with what it does to its own images.

    StriateError where it cannot be traced at all.
    """
    given = given_of(asked)
    if isinstance(target, str) and is_run_folder(target):
        from striate.flow.run_health import examine

        examined = examine(Path(target), asked.image, given)
        target, traced, given = examined.target, examined.trace, examined.given
    else:
        if isinstance(target, str):
            target = resolve(target)
        traced = trace_target(target, asked.image)
    found = check(traced, select=asked.select, ignore=asked.ignore, given=given)
    return Inspected(target=target, trace=traced, findings=placed(found, target))
