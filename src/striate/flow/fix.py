"""Mending: each mend that a rule knows as literals is tried, traced and checked before it is kept.

A mend is tried on a copy.  It is kept only if what it mends is no longer found, nothing of warning
severity or above is found that was not found before, and the forward still runs and gives the same
shape.  All findings of one rule are tried together first, then line by line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, Self, TypeVar

from striate.checking import codes_of
from striate.errors import StriateError
from striate.flow.check import Inspected
from striate.flow.check_places import part_of
from striate.flow.check_types import Asked
from striate.records import Edit, Finding, Trace

Kind = TypeVar("Kind", bound="Design")


_OFTEN = 3
"""Times that the mend of one finding is made: other mends may bring it back."""
Only = frozenset[tuple[str, str]]
"""Findings, by rule and path."""


class Design(Protocol):
    """What can be mended: an architecture, or source files."""

    def mended(self, edits: Sequence[Edit], found: Inspected) -> Self:
        """A copy with ``edits`` made; StriateError where they cannot be.

        ``found``: this design as it was inspected, which knows the line that made each module.
        """
        ...

    def inspected(self, asked: Asked) -> Inspected:
        """It traced and checked; StriateError where it cannot be traced."""
        ...


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A finding whose mend was not made, and why."""

    finding: Finding
    reason: str


@dataclass(frozen=True, kw_only=True)
class Mended(Generic[Kind]):
    """What came of mending.

    ``findings``: those that are gone, as they were found.  ``suggestions``: those with a mend that
    could not be made.  ``before`` and ``after`` are checked with every rule.
    """

    design: Kind
    before: Inspected
    after: Inspected
    findings: tuple[Finding, ...]
    suggestions: tuple[Suggestion, ...]


def mend(design: Kind, asked: Asked, *, unsafe: bool, only: Only | None = None) -> Mended[Kind]:
    """Make every mend that holds; ``unsafe``: also those that change what the network can compute.

    Of the findings that ``asked`` selects, or, where ``only`` is given, of those alone.  Raises
    what inspecting the design as it is raises.
    """
    wanted = codes_of(asked.select or ("all",), "select") - codes_of(asked.ignore, "ignore")
    everything = everything_of(asked)
    before = now = design.inspected(everything)
    gone: list[Finding] = []
    done: Counter[tuple[str, str]] = Counter()
    refused: dict[tuple[str, str], str] = {}
    while True:
        open_ = [
            finding
            for finding in now.findings
            if finding.code in wanted
            and (only is None or (finding.code, finding.path) in only)
            and finding.edits
            and (finding.safe or unsafe)
            and (finding.code, finding.path) not in refused
            and done[finding.code, finding.path] < _OFTEN
        ]
        if not open_:
            break
        for batch in _batches(open_):
            tried: tuple[Kind, Inspected] | str = _try(design, now, batch, everything)
            if isinstance(tried, str):
                if len(batch) == 1 or len({_line(finding) for finding in batch}) == 1:
                    refused |= {(finding.code, finding.path): tried for finding in batch}
                continue
            design, now = tried
            gone += batch
            done.update((finding.code, finding.path) for finding in batch)
            refused = {}  # what could not be mended may be mended now
            break
    suggestions = [
        Suggestion(finding=finding, reason=refused[finding.code, finding.path])
        for finding in now.findings
        if (finding.code, finding.path) in refused
    ]
    return Mended(
        design=design,
        before=before,
        after=now,
        findings=tuple(gone),
        suggestions=tuple(suggestions),
    )


def everything_of(asked: Asked) -> Asked:
    """The same question to every rule, those on style only where they were asked."""
    select = ("all", *asked.select) if asked.select else ()
    return replace(asked, select=select, ignore=())


def objection(before: Inspected, after: Inspected, gone: Sequence[Finding] = ()) -> str | None:
    """Why a design may not become what it is in ``after``; None where it may.

    ``gone``: the findings that must be found no more.
    """
    if after.trace.failure is not None and before.trace.failure is None:
        return f"its forward would fail: {after.trace.failure.message}"
    still = {(finding.code, finding.path) for finding in after.findings}
    left = [finding for finding in gone if (finding.code, finding.path) in still]
    if left:
        return f"{left[0].code} would still be found at {left[0].path or 'the top module'}"
    were, are, fewer = (_counts(found) for found in (before.findings, after.findings, gone))
    for code in fewer:
        if are[code] > were[code] - fewer[code]:
            return f"{code} would be found elsewhere"
    known = {(finding.code, finding.path) for finding in before.findings}
    for finding in after.findings:
        if finding.severity != "info" and (finding.code, finding.path) not in known:
            where = finding.path or "the top module"
            return f"{finding.code} {finding.name} would be found at {where}"
    if before.trace.complete and _shape(before.trace) != _shape(after.trace):
        return f"the output would be {_shape(after.trace)}, not {_shape(before.trace)}"
    return None


def _try(
    design: Kind, now: Inspected, batch: Sequence[Finding], everything: Asked
) -> tuple[Kind, Inspected] | str:
    """The design with the batch mended, or why not."""
    edits = tuple(dict.fromkeys(edit for finding in batch for edit in finding.edits))
    try:
        candidate = design.mended(edits, now)
        after = candidate.inspected(everything)
    except StriateError as error:
        return str(error)
    problem = objection(now, after, batch)
    return problem if problem is not None else (candidate, after)


def _batches(findings: Sequence[Finding]) -> Iterator[list[Finding]]:
    """What is tried together, the gravest first: a rule's findings, those of a line, each alone."""
    rank = {"error": 0, "warning": 1, "info": 2}
    by_code: dict[str, list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: rank[finding.severity]):
        by_code.setdefault(finding.code, []).append(finding)
    for together in by_code.values():
        by_line: dict[str, list[Finding]] = {}
        for finding in together:
            by_line.setdefault(_line(finding), []).append(finding)
        yield together
        if len(by_line) > 1:
            yield from by_line.values()


def _line(finding: Finding) -> str:
    """What is mended together: the line that made the modules; without one, the stage."""
    return finding.defined or part_of(finding.path)


def _counts(findings: Sequence[Finding]) -> Counter[str]:
    return Counter(finding.code for finding in findings)


def _shape(trace: Trace) -> tuple[int, ...]:
    return trace.layers[-1].shape
