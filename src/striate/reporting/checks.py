"""The ledger of checks: every check of every picture, passed or failed, with its number.

Comes in: Evidence.  Goes out: a section.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from striate.records import Evidence
from striate.reporting.evidence import bound, way_of
from striate.reporting.html import Child, Html, el, join
from striate.reporting.tables import table
from striate.reporting.wording import count, counted, number


def checks_section(evidence: Sequence[Evidence], titles: Mapping[str, str]) -> Html | None:
    """One row for each check; what failed first.

    ``titles``: of the sections of the page, by the way of looking that they show.
    """
    if not evidence:
        return None
    rows = [
        (check.passed, piece, check)
        for piece in evidence
        if piece.inapplicable is None
        for check in piece.checks
    ]
    failed = sum(not passed for passed, _, _ in rows)
    withheld = [piece for piece in evidence if piece.inapplicable is None and piece.withheld]
    apply = [piece for piece in evidence if piece.inapplicable is None]
    words = (
        f"{counted(len(rows), 'check')} stand behind {counted(len(apply), 'picture')}: "
        f"{count(len(rows) - failed)} passed, {count(failed)} failed. "
        + (
            f"{counted(len(withheld), 'picture is', 'pictures are')} withheld for it. "
            if withheld
            else "No picture is withheld. "
        )
    )
    unfit = [piece for piece in evidence if piece.inapplicable is not None]
    listed: list[list[Child]] = [
        [
            _link(piece, titles),
            check.name,
            check.claim,
            number(check.value),
            bound(check),
            el("strong.good" if passed else "strong.bad", "passed" if passed else "failed"),
        ]
        for passed, piece, check in sorted(rows, key=lambda row: row[0])
    ]
    return join(
        [
            el("p", words),
            table(
                ["picture", "check", "what must hold", "measured", "allowed", "verdict"],
                listed,
                label="Every check",
                numeric=(3,),
                kind="ledger",
            )
            if listed
            else None,
            el(
                "details",
                el("summary", f"{counted(len(unfit), 'picture does', 'pictures do')} not apply"),
                el(
                    "ul.notes",
                    *(el("li", _link(piece, titles), f": {piece.inapplicable}") for piece in unfit),
                ),
            )
            if unfit
            else None,
        ]
    )


def _link(piece: Evidence, titles: Mapping[str, str]) -> Html:
    way = way_of(piece)
    return (
        el("a", piece.title, attrs={"href": f"#{way}"})
        if way in titles
        else el("span", piece.title)
    )
