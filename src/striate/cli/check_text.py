"""Findings for people: where, what, the price and the mend; and the line that sums them up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.markup import escape

from striate.cli.console import Talk, count
from striate.flow.check_places import part_of, place_name
from striate.records import Finding, Price

RANK = {"info": 0, "warning": 1, "error": 2}
_STYLE = {"info": "cyan", "warning": "yellow", "error": "bold red"}
_SHOWN = 6
"""Paths of a folded finding that are written out."""


def show_findings(out: Talk, findings: Sequence[Finding]) -> None:
    """Findings, those of one rule at one line folded into one."""
    if not findings:
        out.tell("[good]no findings[/]", indent=2)
    for group in folded(findings):
        _show(out, group)


def folded(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Findings that share rule and place, together, in the order of the first of each.

    The place is the line that made the module; where no line is known (a zoo name), the stage.
    """
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        place = finding.defined or part_of(finding.path)
        groups.setdefault((finding.code, place), []).append(finding)
    return list(groups.values())


def _show(out: Talk, group: list[Finding]) -> None:
    first, several = group[0], len(group) > 1
    style = _STYLE[first.severity]
    where = escape(first.path or "(the network)")
    times = f" ×{len(group)}" if several else ""
    out.tell(
        f"[{style}]{first.severity} {first.code}[/] [key]{where}[/]{times} {first.name}",
        indent=2,
        hang=4,
    )
    out.tell(escape(first.message), indent=6)
    if several:
        paths = [finding.path for finding in group[1:]]
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        listed = escape(", ".join(paths[:_SHOWN]))
        out.tell(f"[dim]the same at[/] {listed}{more}", indent=6, hang=2)
    price = _sum(finding.price for finding in group)
    if price != Price():
        all_ = " in all" if several else ""
        out.tell(f"[dim]price:[/] {price_text(price)}{all_}", indent=6, hang=2)
    if first.fix:
        out.tell(f"[good]mend:[/] {escape(first.fix)}", indent=6, hang=2)
    place = _place(first)
    if place is not None:
        out.tell(f"[dim]{escape(place)}[/]", indent=6, hang=2)


def _place(finding: Finding) -> str | None:
    """The line that made the module, and the one that called it, where they are known."""
    made, called = finding.defined, finding.source
    if made is None or called is None or made == called:
        return made or called or place_name(finding.path)
    return f"{made}, called at {called}"


def price_text(price: Price) -> str:
    """What a finding costs, in words: ``2.36M parameters, 37.7M MACs``."""
    parts = [
        f"{count(value)} {unit}"
        for value, unit in (
            (price.params, "parameters"), (price.macs, "MACs"), (price.bytes, "bytes"),
        )
        if value
    ]  # fmt: skip
    return ", ".join(parts)


def _sum(prices: Iterable[Price]) -> Price:
    params = macs = bytes_ = 0
    for price in prices:
        params, macs, bytes_ = params + price.params, macs + price.macs, bytes_ + price.bytes
    return Price(params=params, macs=macs, bytes=bytes_)


def summary(findings: Sequence[Finding], networks: int) -> str:
    """The last line: how many of each severity, in how many networks, how many a mend is known for.

    >>> summary([], 3)
    'no findings in 3 networks'
    """
    severities = [finding.severity for finding in findings]
    counts = [
        f"{number} {name if number == 1 or name == 'info' else name + 's'}"
        for name in ("error", "warning", "info")
        if (number := severities.count(name))
    ]
    said = f"{', '.join(counts) or 'no findings'} in {_many(networks, 'network')}"
    safe = sum(finding.safe for finding in findings if finding.edits)
    unsafe = sum(not finding.safe for finding in findings if finding.edits)
    mends = [
        f"{number} with a mend for {option}"
        for number, option in ((safe, "--fix"), (unsafe, "--unsafe-fixes"))
        if number
    ]
    return f"{said}; {', '.join(mends)}" if mends else said


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
