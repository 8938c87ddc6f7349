"""One piece of evidence on the page: its picture, and the checks that stand behind it.

A picture whose check failed is not drawn; the number that failed it is shown in its place.

Comes in: Evidence, and its picture.  Goes out: ``<figure>`` elements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from striate.records import Check, Evidence
from striate.reporting.html import Html, el
from striate.reporting.wording import counted, number


def way_of(evidence: Evidence) -> str:
    """The way of looking that a piece belongs to: the first word of its name."""
    return evidence.name.split(".")[0]


def shown(
    evidence: Evidence, draw: Callable[[], Html], caption: str | Html, *, block: str | None = None
) -> Html:
    """The picture with its checks; or why there is none.  ``block``: the module it is about."""
    about = {"data-block": block}
    if evidence.inapplicable is not None:
        return el("p.inapplicable", evidence.inapplicable, attrs=about)
    if evidence.withheld:
        return withheld(evidence)
    return el(
        "figure.evidence",
        draw(),
        el("figcaption", caption),
        passed_list(evidence.checks),
        attrs=about,
    )


def withheld(evidence: Evidence) -> Html:
    """What failed, with its numbers, in the picture's place; what passed can be unfolded."""
    failed = [check for check in evidence.checks if not check.passed]
    return el(
        "figure.evidence.withheld",
        el(
            "div.stamp",
            el("p", el("strong", "Withheld: "), evidence.title),
            el("p", f"This picture could mislead, so it is not shown: {failures(failed)}."),
        ),
        el(
            "details",
            el("summary", f"{len(failed)} of {counted(len(evidence.checks), 'check')} failed"),
            check_list(evidence.checks),
        ),
    )


def failures(failed: Sequence[Check]) -> str:
    """Numbers that are on the wrong side of their limits, in words."""
    return "; ".join(f"{c.name} is {number(c.value)}, allowed is {bound(c)}" for c in failed)


def bound(check: Check) -> str:
    """On which side of its limit a check passes: told by where this one fell."""
    below = (check.value <= check.limit) == check.passed
    return f"{'at most' if below else 'at least'} {number(check.limit)}"


def passed_list(checks: Sequence[Check]) -> Html | None:
    """Checks that all passed: a few as they stand, many behind a line that says so."""
    if len(checks) <= 2:
        return check_list(checks)
    return el(
        "details",
        el("summary", f"All {counted(len(checks), 'check')} passed"),
        check_list(checks),
    )


def check_list(checks: Sequence[Check]) -> Html | None:
    """Every check with its verdict and its number."""
    if not checks:
        return None
    return el("ul.checks", *(_check(check) for check in checks))


def _check(check: Check) -> Html:
    verdict = "passed" if check.passed else "failed"
    return el(
        f"li.{verdict}",
        el("span.verdict", verdict),
        el(
            "span",
            f"{check.claim}: {number(check.value)} ",
            el("span.limit", f"(allowed: {bound(check)})"),
        ),
    )
