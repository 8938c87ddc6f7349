"""``striate check TARGET…``: the linter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape

from striate.checking import explain, rules
from striate.cli.check_fix import fixed_json, show_fixed
from striate.cli.check_text import RANK, show_findings, summary
from striate.cli.completing import complete_code, complete_target
from striate.cli.console import READABLE, Talk, complain, talk
from striate.cli.layers import unknown
from striate.cli.options import Image, Json, Quiet
from striate.errors import InputError
from striate.flow.check_config import find_config
from striate.flow.check_project import Report, Request, check_project
from striate.flow.check_types import Checked

Format = Literal["text", "json", "sarif", "github"]


def command(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET…",
            help="Zoo names, TOML files, file.py:Net, package.module:Net, run folders, …; by "
            "default the targets in pyproject.toml.",
            autocompletion=complete_target,
        ),
    ] = None,
    *,
    image: Image = None,
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select",
            metavar="CODE",
            help="Only these rules (FL201, or FL for a group).",
            autocompletion=complete_code,
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore", metavar="CODE", help="Not these rules.", autocompletion=complete_code
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option("--memory", metavar="SIZE", help="What training may take, such as 16GiB."),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option("--batch", metavar="N", min=1, help="Images in a training step."),
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(
            "--explain",
            metavar="CODE",
            help="What a rule finds, why, and its mend.",
            autocompletion=complete_code,
        ),
    ] = None,
    fail_on: Annotated[
        Literal["error", "warning", "info"] | None,
        typer.Option("--fail-on", help="Exit 1 from this severity up; by default warning."),
    ] = None,
    fix: Annotated[
        bool,
        typer.Option(
            "--fix", help="Mend what can be mended without changing what the network can compute."
        ),
    ] = False,
    unsafe: Annotated[
        bool,
        typer.Option("--unsafe-fixes", help="Mend also what changes it (a stride, a layer less)."),
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what would be mended, and write nothing.")
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where the mended TOML of a zoo name goes."),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="How findings are written on stdout.")
    ] = "text",
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="FILE", help="Findings that are known and accepted."),
    ] = None,
    accept: Annotated[
        bool, typer.Option("--write-baseline", help="Accept what is found now, in that file.")
    ] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Check anew what is remembered as it was.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find what is wrong with a design before it is trained, and mend it.

    Examples:

      striate check resnet18 --image 3x32x32

      striate check my_net.py:Net design.toml --fail-on error

      striate check my_net.py:Net --fix

      striate check resnet50 --memory 16GiB --batch 128

      striate check runs/digits

      striate check design.toml --unsafe-fixes --diff

      striate check --format github

      striate check --explain FL201
    """
    if as_json and format_ not in ("text", "json"):
        raise InputError(f"--json --format {format_}: two ways to write one thing; leave one out")
    kind: Format = "json" if as_json else format_
    out = talk(as_json=kind != "text", quiet=quiet)
    if code is not None:
        if targets:
            raise InputError(f"--explain {code}: explains a rule; leave {targets[0]} out")
        _explain(out, code)
        return
    mends = "all" if unsafe else "safe" if fix or diff else "none"
    if file is not None and mends == "none":
        raise InputError(f"--out {file}: is where a mend goes; add --fix or --unsafe-fixes")
    config = find_config(Path.cwd())
    given = {
        "image": image,
        "memory": memory,
        "batch": batch,
        "select": tuple(select or ()),
        "ignore": tuple(ignore or ()),
    }
    request = Request(
        config=config,
        targets=tuple(targets or ()),
        given={name: value for name, value in given.items() if value},
        mends=mends,
        write=not diff,
        out=file,
        baseline=baseline,
        accept=accept,
        cache=not no_cache,
    )
    with out.waiting("checking"):
        report = check_project(request)
    _show(out, report)
    _write(out, report, kind)
    if any(one.error is not None for one in report.checked):
        raise typer.Exit(2)
    worst = RANK[fail_on or config.fail_on]
    found = [finding for one in report.checked for finding in one.findings]
    if not accept and any(RANK[finding.severity] >= worst for finding in found):
        raise typer.Exit(1)


def _show(out: Talk, report: Report) -> None:
    """The report for people: mends first, then what is found, then the sum."""
    for fixed in report.fixed:
        show_fixed(out, fixed)
    for one in report.checked:
        if one.error is not None:
            complain("error", one.error)
            continue
        size = "×".join(map(str, one.image))
        out.tell(f"[key]{escape(one.target)}[/] [dim]{size}[/]", hang=2)
        show_findings(out, one.findings)
        for line in unknown(one.unknown):
            out.tell(line, indent=2, hang=2)
    if not out.quiet:
        for note in report.notes:
            complain("note", note)
    found = [finding for one in report.checked for finding in one.findings]
    left_out = [
        f"{number} {what}"
        for number, what in (
            (report.silenced, "silenced"), (report.accepted, "accepted by the baseline"),
        )
        if number
    ]  # fmt: skip
    if found or left_out or len(report.checked) > 1:
        said = summary(found, sum(one.error is None for one in report.checked))
        out.tell("; ".join([said, *left_out]), hang=2)


def _write(out: Talk, report: Report, kind: Format) -> None:
    """The report for programs."""
    if kind == "json":
        out.document({"striate": 1, "targets": _targets(report)})
    elif kind == "sarif":
        from striate.cli.check_sarif import sarif

        out.raw(json.dumps(sarif(report.checked), indent=1, ensure_ascii=False) + "\n")
    elif kind == "github":
        from striate.cli.check_github import workflow_commands

        out.raw("".join(f"{line}\n" for line in workflow_commands(report.checked)))


def _targets(report: Report) -> list[dict[str, Any]]:
    fixed = {one.target: fixed_json(one) for one in report.fixed}
    return [{**_target(one), "fixed": fixed.get(one.target)} for one in report.checked]


def _target(checked: Checked) -> dict[str, Any]:
    return {
        "target": checked.target,
        "image": list(checked.image),
        "findings": [finding.as_json() for finding in checked.findings],
        "error": checked.error,
    }


def _explain(out: Talk, code: str) -> None:
    from rich.constrain import Constrain
    from rich.markdown import Markdown

    text = explain(code)
    out.document({"striate": 1, "code": code, "text": text, "rules": [r.code for r in rules()]})
    out.say(Constrain(Markdown(text), min(out.people.width, READABLE)))
