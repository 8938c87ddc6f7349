"""``striate check``: from TARGETs to Findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from striate.checking import check
from striate.flow.trace import trace_target
from striate.records import Finding, Trace


def check_targets(
    targets: Sequence[str],
    *,
    image: str | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> Iterator[tuple[str, Trace, list[Finding]]]:
    """Trace and check each TARGET in turn."""
    for target in targets:
        traced = trace_target(target, image)
        yield target, traced, check(traced, select=select, ignore=ignore)
