"""``striate check TARGET…``: the linter."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.constrain import Constrain
from rich.markdown import Markdown
from rich.markup import escape

from striate.checking import explain, rules
from striate.cli.check_text import RANK, show_findings, summary
from striate.cli.completing import complete_target
from striate.cli.console import READABLE, Talk, complain, talk
from striate.cli.layers import unknown
from striate.cli.options import Image, Json, Quiet
from striate.errors import InputError
from striate.flow.check import Checked
from striate.records import Finding


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
    from striate.flow.check import Asked, check_targets

    documents: list[dict[str, object]] = []
    found: list[Finding] = []
    broken = False
    asked = Asked(image=image, select=tuple(select or ()), ignore=tuple(ignore or ()))
    for checked in check_targets(targets, asked):
        documents.append(_document(checked))
        if checked.error is not None:
            broken = True
            complain("error", checked.error)
            continue
        found += checked.findings
        size = "×".join(map(str, checked.image))
        out.tell(f"[key]{escape(checked.target)}[/] [dim]{size}[/]", hang=2)
        show_findings(out, checked.findings)
        for line in unknown(checked.unknown):
            out.tell(line, indent=2, hang=2)
    if found or len(documents) > 1:
        out.tell(summary(found, len(documents)), hang=2)
    out.document({"striate": 1, "targets": documents})
    if broken:
        raise typer.Exit(2)
    if any(RANK[finding.severity] >= RANK[fail_on] for finding in found):
        raise typer.Exit(1)


def _document(checked: Checked) -> dict[str, object]:
    return {
        "target": checked.target,
        "image": list(checked.image),
        "findings": [finding.as_json() for finding in checked.findings],
        "error": checked.error,
    }


def _explain(out: Talk, code: str) -> None:
    text = explain(code)
    out.document({"striate": 1, "code": code, "text": text, "rules": [r.code for r in rules()]})
    out.say(Constrain(Markdown(text), min(out.people.width, READABLE)))
