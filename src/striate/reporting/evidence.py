"""One piece of evidence on the page: its picture, and the checks that stand behind it.

A picture whose check failed is not drawn; the number that failed it is shown in its place.

Comes in: Evidence, and its picture.  Goes out: ``<figure>`` elements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from striate.records import Check, Evidence
from striate.reporting.html import Html, el
from striate.reporting.wording import number


def shown(evidence: Evidence, draw: Callable[[], Html], caption: str | Html) -> Html:
    """The picture with its checks; or why there is none."""
    if evidence.inapplicable is not None:
        return el("p.inapplicable", evidence.inapplicable)
    if evidence.withheld:
        return el("figure.evidence.withheld", _withheld(evidence), check_list(evidence.checks))
    return el("figure.evidence", draw(), el("figcaption", caption), check_list(evidence.checks))


def _withheld(evidence: Evidence) -> Html:
    failed = [check for check in evidence.checks if not check.passed]
    numbers = "; ".join(f"{c.name} is {number(c.value)}, allowed is {_bound(c)}" for c in failed)
    return el(
        "div.stamp",
        el("p", el("strong", "Withheld: "), evidence.title),
        el("p", f"This picture could mislead, so it is not shown: {numbers}."),
    )


def _bound(check: Check) -> str:
    """On which side of its limit a check passes: told by where this one fell."""
    below = (check.value <= check.limit) == check.passed
    return f"{'at most' if below else 'at least'} {number(check.limit)}"


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
            el("span.limit", f"(allowed: {_bound(check)})"),
        ),
    )
