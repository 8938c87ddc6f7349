"""``striate verify``: published claims, measured on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from striate.cli.bars import Bars
from striate.cli.console import Talk, duration, plain_table, talk
from striate.cli.options import Json, Quiet
from striate.cli.stopping import terminated_as_interrupted
from striate.errors import InputError
from striate.flow.claims import GROUPS

if TYPE_CHECKING:
    from striate.flow.claims import Claim
    from striate.flow.verify import Measured, Verified


def _complete(incomplete: str) -> list[tuple[str, str]]:
    """Groups; behind a group and its slash, its claims."""
    group, slash, _ = incomplete.partition("/")
    if not slash:
        return [(one.name, one.what) for one in GROUPS if one.name.startswith(incomplete)]
    names = [(f"{one.name}/{c.name}", c.what) for one in GROUPS for c in one.claims]
    return [(name, what) for name, what in names if name.startswith(incomplete) and group]


def command(
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="NAME",
            help="A group of claims, or one of them (luo, params/resnet50); may be given again. "
            f"Groups: {', '.join(group.name for group in GROUPS)}.",
            autocompletion=_complete,
        ),
    ] = None,
    train: Annotated[
        bool,
        typer.Option("--train", help="The claims that train networks, too: some 8 minutes more."),
    ] = False,
    list_: Annotated[
        bool, typer.Option("--list", help="Name the claims and their sources; measure nothing.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure published claims on this machine: claimed, measured, holds or not.

    Exit 1 where a claim does not hold. --train also trains networks, for minutes.

    Examples:

      striate verify

      striate verify --only lengths --only params/resnet50

      striate verify --train --only lesions
    """
    told = talk(as_json=as_json, quiet=quiet)
    if list_:
        if only or train:
            raise InputError("--list names every claim; leave out --only and --train")
        _list(told)
        return
    with told.waiting("loading PyTorch"):
        from striate.flow.verify import Verified, verify_groups

    done: list[Measured] = []
    with terminated_as_interrupted(), Bars(told) as bars:
        for measured in verify_groups(only or (), train=train, progress=bars.show):
            _show(told, measured)
            done.append(measured)
    found = Verified(groups=tuple(done))
    told.document(found.as_json())
    _sum_up(told, found, whole=not only, trained=train)
    if not found.holds:
        raise typer.Exit(1)


def _list(told: Talk) -> None:
    from striate.flow.verify import listed

    told.document(listed())
    for group in GROUPS:
        minutes = "" if group.minutes is None else f" · --train, about {group.minutes:g} min"
        told.tell(f"[key]{group.name}[/] {escape(group.what)}[dim]{minutes}[/]", hang=2)
        table = plain_table(("", "left"), ("", "right"))
        table.show_header = False
        for claim in group.claims:
            table.add_row(f"  {group.name}/{escape(claim.name)}", _claimed(claim))
        told.say(table)
        _sources(told, group.claims)


def _show(told: Talk, measured: Measured) -> None:
    group = measured.group
    told.tell(
        f"[key]{group.name}[/] {escape(group.what)} [dim]({duration(measured.seconds)})[/]", hang=2
    )
    table = plain_table(
        ("", "left"),
        ("", "left"),
        ("claimed", "right"),
        ("measured", "right"),
        ("may miss by", "right"),
    )
    for verdict in measured.verdicts:
        claim = verdict.claim
        table.add_row(
            "  [good]holds[/]" if verdict.holds else "  [bad]fails[/]",
            escape(claim.name),
            _claimed(claim),
            _number(verdict.measured, claim),
            _tolerance(claim),
        )
    told.say(table)
    for verdict in measured.verdicts:
        if not verdict.holds or group.minutes is not None:
            told.tell(f"[dim]{escape(verdict.claim.name)}: {escape(verdict.claim.what)}[/]",
                      indent=2, hang=2)  # fmt: skip
    _sources(told, [verdict.claim for verdict in measured.verdicts])


def _sources(told: Talk, claims: list[Claim] | tuple[Claim, ...]) -> None:
    """Each source once."""
    for source in dict.fromkeys(claim.source for claim in claims):
        told.tell(f"[dim]source: {escape(source)}[/]", indent=2, hang=2)


def _tolerance(claim: Claim) -> str:
    if claim.tolerance:
        return (
            f"{claim.tolerance:.2g}" if claim.unit == "share" else _number(claim.tolerance, claim)
        )
    return "exact" if claim.relation == "=" else ""


def _claimed(claim: Claim) -> str:
    sign = "" if claim.relation == "=" else f"{claim.relation} "
    return sign + _number(claim.claimed, claim)


def _number(value: float, claim: Claim) -> str:
    """As its unit is written.

    >>> from striate.flow.claims import GROUPS
    >>> _number(1814073344, GROUPS[1].claims[0])
    '1.81407G'
    """
    if claim.unit == "params":
        return f"{value:,.0f}"
    if claim.unit == "macs":
        return f"{value / 1e9:.6g}G"
    if claim.unit == "px":
        return f"{value:.4g} px"
    if claim.unit == "share":
        return f"{value:.4f}"
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 1 else f"{value:.2g}"


def _sum_up(told: Talk, found: Verified, *, whole: bool, trained: bool) -> None:
    failed = [verdict.name for verdict in found.verdicts if not verdict.holds]
    seconds = duration(sum(measured.seconds for measured in found.groups))
    if failed:
        told.tell(
            f"[bad]{len(failed)} of {len(found.verdicts)} do not hold[/]: "
            f"{escape(', '.join(failed))} ({seconds})",
            hang=2,
        )
    else:
        told.tell(f"[good]all {len(found.verdicts)} claims hold[/] ({seconds})")
    left = [group for group in GROUPS if group.minutes is not None]
    if whole and not trained:
        minutes = sum(group.minutes or 0 for group in left)
        names = ", ".join(group.name for group in left)
        told.tell(f"[dim]With --train also {names}: about {minutes:g} min on two cores.[/]", hang=2)
