"""Which last blocks could go: the verdict, and what training without them came to.

Comes in: Evidence ``tail.<part>``.  Goes out: a section.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from striate.records import Evidence
from striate.reporting.bars import Column, column
from striate.reporting.evidence import check_list, shown
from striate.reporting.html import Child, Html, el, join
from striate.reporting.tables import table
from striate.reporting.wording import counted, percent, short


def tail_section(pieces: Sequence[Evidence]) -> Html:
    """The verdict in a sentence, the numbers it is from, and its confirmation if there is one."""
    known = any(piece.name == "tail.confirmed" for piece in pieces)
    drawn = [
        _confirmed(piece) if piece.name == "tail.confirmed" else _verdict(piece, known=known)
        for piece in pieces
    ]
    return join(drawn)


def _verdict(piece: Evidence, *, known: bool) -> Html:
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    facts, arrays = piece.facts, piece.arrays
    names, drop = [str(name) for name in facts["names"]], int(facts["drop"])

    def draw() -> Html:
        columns: list[Column] = [column("probe", arrays["probe"], _rate, most=1.0)]
        if "stopped" in arrays:
            columns.append(column("stopped here", arrays["stopped"], _rate, most=1.0))
        if "without" in arrays:
            columns.append(column("without it alone", arrays["without"], _rate, most=1.0))
        rows: list[list[Child]] = [
            [
                name,
                "could go" if at >= len(names) - drop else "stays",
                *(cells[at] for _, cells in columns),
            ]
            for at, name in enumerate(names)
        ]
        heads = ["block", "verdict", *(title for title, _ in columns)]
        return join(
            [
                el("p", _sentence(facts, names, drop, known=known)),
                table(heads, rows, label="Tail", numeric=range(2, len(heads))),
            ]
        )

    caption = (
        "The rule: what a block hands on is enough when a linear classifier on it, fitted on "
        f"{counted(facts['trained_on'], 'training image')}, is within one standard error of the "
        f"best anywhere ({percent(facts['best'], 1)}, so {percent(facts['limit'], 1)} will do) on "
        f"{counted(facts['images'], 'image')} of the {facts['split']} split; all behind could go. "
        "Stopped here, without it alone: accuracy of the network as it is, for comparison; they "
        "are no part of the rule, which is about a network trained anew."
    )
    return shown(piece, draw, caption)


def _sentence(facts: Mapping[str, Any], names: Sequence[str], drop: int, *, known: bool) -> str:
    if not drop:
        return "Nothing could go: what can be read off linearly rises up to the last block."
    saved: Mapping[str, float] = facts["saved"]
    return (
        f"The last {counted(drop, 'block')} could go (from {names[-drop]} on): that saves "
        f"{short(int(saved['macs']))} MACs ({percent(saved['macs_share'], 0)}) and "
        f"{short(int(saved['params']))} parameters ({percent(saved['params_share'], 0)}). "
        + ("--confirm trains it without them." if facts["own"] and not known else "")
    ).rstrip()


def _confirmed(piece: Evidence) -> Html:
    if piece.inapplicable is not None or piece.withheld:
        return join([el("h3", piece.title), shown(piece, lambda: el("div"), "")])
    facts = piece.facts
    (whole, without), (error, other) = facts["accuracy"], facts["error"]
    apart, sure = float(facts["difference"]), float(facts["difference_error"])
    beyond = abs(apart) > 2 * sure
    verdict = (
        "no difference beyond two standard errors"
        if not beyond
        else "better without them"
        if apart > 0
        else "worse without them"
    )
    return join(
        [
            el("h3", piece.title),
            el(
                "p",
                f"As it was: {_rate(whole)} ± {percent(error, 1)}. Trained alike without its last "
                f"{counted(int(facts['drop']), 'block')}: {_rate(without)} ± {percent(other, 1)} "
                f"on the same {counted(int(facts['images']), 'image')} of the {facts['split']} "
                f"split. Image by image the difference is {apart:+.2%} ± {sure:.2%}: {verdict}. "
                f"± is one binomial standard error. Its run is {facts['run']}.",
            ),
            check_list(piece.checks),
        ]
    )


def _rate(value: float) -> str:
    return percent(value, 1)
