"""``striate check TARGET…``: the linter."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.constrain import Constrain
from rich.markdown import Markdown
from rich.markup import escape

from striate.checking import explain, rules
from striate.cli.completing import complete_target
from striate.cli.console import READABLE, Talk, count, talk
from striate.cli.layers import unknown
from striate.cli.options import Image, Json, Quiet
from striate.errors import InputError
from striate.records import Finding, Price

_RANK = {"info": 0, "warning": 1, "error": 2}
_STYLE = {"info": "cyan", "warning": "yellow", "error": "bold red"}


def command(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET…",
            help="Zoo names, TOML files, file.py:Net, package.module:Net, …",
            autocompletion=complete_target,
        ),
    ] = None,
    *,
    image: Image = None,
    format_: Annotated[
        Literal["text", "json"], typer.Option("--format", help="How findings are written.")
    ] = "text",
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select", metavar="CODE", help="Only these rules (FL201, or FL for a group)."
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="CODE", help="Not these rules.")
    ] = None,
    code: Annotated[
        str | None,
        typer.Option("--explain", metavar="CODE", help="What a rule finds, why, and its mend."),
    ] = None,
    fail_on: Annotated[
        Literal["error", "warning", "info"],
        typer.Option("--fail-on", help="Exit 1 from this severity up."),
    ] = "warning",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find what is wrong with a design before it is trained.

    Examples:

      striate check resnet18 --image 3x32x32

      striate check my_net.py:Net design.toml --fail-on error

      striate check --explain FL201
    """
    out = talk(as_json=as_json or format_ == "json", quiet=quiet)
    if code is not None:
        if targets:
            raise InputError(f"--explain {code}: explains a rule; leave {targets[0]} out")
        _explain(out, code)
        return
    if not targets:
        raise InputError("no TARGET; name one, for example striate check resnet18")
    from striate.flow.check import check_targets

    documents: list[dict[str, object]] = []
    worst = -1
    for target, traced, findings in check_targets(
        targets, image=image, select=select or (), ignore=ignore or ()
    ):
        documents.append({"target": target, "findings": [f.as_json() for f in findings]})
        worst = max([worst, *(_RANK[finding.severity] for finding in findings)])
        out.tell(f"[key]{escape(target)}[/] [dim]{'×'.join(map(str, traced.image))}[/]", hang=2)
        show_findings(out, findings)
        for line in unknown(traced):
            out.tell(line, indent=2, hang=2)
    out.document({"striate": 1, "targets": documents})
    if worst >= _RANK[fail_on]:
        raise typer.Exit(1)


def show_findings(out: Talk, findings: list[Finding]) -> None:
    """Findings for people: where, what, its price and its mend."""
    if not findings:
        out.tell("[good]no findings[/]", indent=2)
    for finding in findings:
        style = _STYLE[finding.severity]
        where = escape(finding.path or "(the network)")
        out.tell(
            f"[{style}]{finding.severity} {finding.code}[/] [key]{where}[/] {finding.name}",
            indent=2,
            hang=4,
        )
        out.tell(escape(finding.message), indent=6)
        if finding.price != Price():
            out.tell(f"[dim]price:[/] {price_text(finding.price)}", indent=6, hang=2)
        if finding.fix:
            out.tell(f"[good]mend:[/] {escape(finding.fix)}", indent=6, hang=2)
        if finding.source:
            out.tell(f"[dim]{escape(finding.source)}[/]", indent=6)


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


def _explain(out: Talk, code: str) -> None:
    text = explain(code)
    out.document({"striate": 1, "code": code, "text": text, "rules": [r.code for r in rules()]})
    out.say(Constrain(Markdown(text), min(out.people.width, READABLE)))
