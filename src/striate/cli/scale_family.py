"""A family in a terminal and as a document: members, costs, what the next one would break."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from striate.cli.console import Talk, count, plain_table
from striate.errors import InputError
from striate.records.wording import size
from striate.scaling.budgets import amount

if TYPE_CHECKING:
    from striate.flow.scale import Family

_SPOKEN = {
    "macs": "MACs",
    "params": "parameters",
    "activations": "activations",
    "train_bytes": "of memory to train",
    "latency": "on this machine",
}


def family_document(family: Family) -> dict[str, Any]:
    """The family as the command's document has it."""
    return {
        "rule": {
            "name": family.rule.rule,
            "depth": family.rule.depth,
            "width": family.rule.width,
            "resolution": family.rule.resolution,
        },
        "budgets": {budget.key: budget.limit for budget in family.budgets},
        "base": family.base.as_json(),
        "family": [one.as_json() for one in family.members],
        "next": _next(family),
    }


def _next(family: Family) -> dict[str, object] | None:
    """The next larger member, and what it costs, where a budget was given."""
    solution = family.solution
    if solution is None or solution.next is None:
        return None
    return {
        "phi": solution.next.phi,
        **solution.next_cost,
        "breaks": [budget.key for budget in solution.broken],
    }


def show_family(told: Talk, family: Family) -> None:
    """The table of members, why the best is the best, and what the linter says of each."""
    timed = any("latency" in one.cost for one in family.members)
    table = plain_table(
        ("network", "left"), ("φ", "right"), ("image", "left"), ("params", "right"),
        ("MACs", "right"), ("activations", "right"), ("to train", "right"),
        *([("latency", "right")] if timed else []),
    )  # fmt: skip
    for one in (family.base, *family.members):
        made, cost = one.member, one.cost
        seconds = cost.get("latency")
        table.add_row(
            f"[key]{escape(made.arch.name)}[/]",
            f"{made.phi:.6g}" if made is not family.base.member else "",
            "×".join(map(str, made.arch.image)),
            count(cost["params"]),
            count(cost["macs"]),
            count(cost["activations"]),
            size(cost["train_bytes"]),
            *([""] if timed and seconds is None else []),
            *([f"{seconds * 1e3:.3g} ms"] if seconds is not None else []),
        )
    told.say(table)
    if any(one.member.published for one in family.members):
        told.tell(
            "[dim]A name without φ in it is the published network, whose authors chose its "
            "coefficients by hand; the other is the formula's.[/]",
            hang=2,
        )
    if family.solution is not None:
        _explain(told, family)
    for one in family.members:
        for finding in one.findings:
            if finding.severity != "info":
                told.tell(
                    f"{escape(one.member.arch.name)}: [warn]{finding.severity} {finding.code}[/] "
                    f"{escape(finding.path)} {finding.name}: {escape(finding.message)}",
                    hang=2,
                )


def _explain(told: Talk, family: Family) -> None:
    """Why this member: what the next one would break."""
    solution = family.solution
    assert solution is not None
    if solution.next is None:
        told.tell(f"The next larger member cannot be built: {escape(solution.ends or '')}.", hang=2)
        return
    broken = " and ".join(
        f"{amount(budget.key, solution.next_cost[budget.key])} {_SPOKEN[budget.key]}, "
        f"more than {amount(budget.key, budget.limit)}"
        for budget in solution.broken
    )
    told.tell(f"The next larger member (φ = {solution.next.phi:.9g}) has {broken}.", hang=2)
    if any(budget.key == "latency" for budget in family.budgets):
        told.tell(
            "[dim]Latency is measured, and wavers: the median of up to 15 runs of the batch, "
            "here and now.[/]",
            hang=2,
        )


def write_family(out: Path, family: Family) -> None:
    """One member into a TOML file, several into a folder; InputError where something is there."""
    from striate.arch import to_toml
    from striate.runs.atomic import atomic_write

    if out.suffix == ".toml":
        if len(family.members) != 1:
            raise InputError(
                f"--out {out}: one file, and {len(family.members)} networks; name a folder"
            )
        places = [(out, family.members[0])]
    else:
        out.mkdir(parents=True, exist_ok=True)
        places = [(out / f"{one.member.arch.name}.toml", one) for one in family.members]
    taken = [place for place, _ in places if place.exists()]
    if taken:
        raise InputError(f"--out {taken[0]}: exists already; name another, or take it away")
    for place, one in places:
        atomic_write(place, to_toml(one.member.arch).encode())
