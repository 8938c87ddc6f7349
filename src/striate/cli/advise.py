"""``striate advise DATA``: which axis to grow next, and the numbers that say so."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from striate.cli.completing import complete_arch, complete_data
from striate.cli.console import Talk, count, plain_table, size, talk
from striate.cli.options import Image, Json, Quiet
from striate.errors import InputError

if TYPE_CHECKING:
    from striate.flow.advise import Advice
    from striate.records.advice import Sentence

_MARKS = {"for": "[good]+[/] ", "against": "[mark]-[/] ", "closed": "[mark]-[/] ", "note": "  "}


def command(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="The images, as striate fit takes them; digits if left out.",
            autocompletion=complete_data,
        ),
    ] = None,
    *,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            metavar="KEY=VALUE,…",
            help="macs, params, activations, train_bytes, latency. \\[2.2 times its MACs]",
        ),
    ] = None,
    arch: Annotated[
        str,
        typer.Option(
            "--arch",
            metavar="TARGET",
            help="The network to begin with: a zoo name, a TOML file, or auto.",
            autocompletion=complete_arch,
        ),
    ] = "auto",
    run: Annotated[
        Path | None,
        typer.Option(
            "--run", metavar="RUN", help="A finished run: its network, data and what it learned."
        ),
    ] = None,
    search: Annotated[
        Path | None,
        typer.Option(
            "--search",
            metavar="FOLDER",
            help="A finished striate scale --search of this network and data.",
        ),
    ] = None,
    image: Image = None,
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", help="Images of train_bytes and latency.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the advised network as TOML."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say which axis of a network to grow next under a budget, and why, in measured numbers.

    Examples:

      striate advise digits --budget macs=10M

      striate advise photos/ --arch resnet18 --budget macs=1G,params=5M --out next.toml

      striate advise --run runs/digits-auto-1 --budget latency=2ms
    """
    told = talk(as_json=as_json, quiet=quiet)
    if out is not None:
        _refuse(out)
    with told.waiting("measuring"):
        from striate.flow.advise import advise

        found = advise(data, budget, arch=arch, run=run, search=search, image=image, batch=batch)
    if out is not None:
        if not found.grown:
            raise InputError(
                f"--out {out}: the budget leaves no room for another network; raise it"
            )
        _write(out, found)
    told.document({**found.as_json(), "next": _next(found, out)})
    _show(told, found)
    commands = _next(found, out)
    if commands:
        told.say("")
        told.tell("[key]Next:[/]")
    for line in commands:
        told.tell(f"[mark]{escape(line)}[/]", indent=2, hang=2)


def _show(told: Talk, found: Advice) -> None:
    facts = found.facts
    data = facts.data
    told.tell(
        f"[key]{escape(facts.network)}[/] on {escape(data.name)}: {data.train:,} training images "
        f"of {'×'.join(map(str, data.image))}, {data.classes} classes"
    )
    told.say("")
    _show_stages(told, found)
    told.say("")
    _show_steps(told, found)
    told.say("")
    told.tell("[key]What was measured, and what it says[/] (+ for growing an axis, - against)")
    for number, sentence in enumerate(found.sentences, 1):
        _say(told, number, sentence)
    told.say("")
    advised, base = found.advised, found.base
    told.tell(f"[key]Advice:[/] {escape(found.verdict.why)}", hang=2)
    if not found.grown:
        told.tell("The network is as large as the budget lets it be by this rule.", indent=2)
        return
    told.tell(
        f"{escape(advised.member.arch.name)}: {count(advised.cost['macs'])} MACs "
        f"({advised.cost['macs'] / base.cost['macs']:.3g} times as many), "
        f"{count(advised.cost['params'])} parameters, "
        f"{advised.cost['latency'] * 1e3:.3g} ms (before: {base.cost['latency'] * 1e3:.3g} ms).",
        indent=2,
    )
    for finding in advised.findings:
        if finding.severity != "info":
            told.tell(
                f"[bad]{finding.severity} {finding.code}[/] {escape(finding.path)} "
                f"{finding.name}: {escape(finding.message)}",
                indent=2, hang=2,
            )  # fmt: skip


def _say(told: Talk, number: int, sentence: Sentence) -> None:
    thumb = f" [dim](rule of thumb: {escape(sentence.thumb)})[/]" if sentence.thumb else ""
    axis = f"[key]{sentence.axis}:[/] " if sentence.axis else ""
    told.tell(f"{number:2} {_MARKS[sentence.side]}{axis}{escape(sentence.text)}{thumb}", hang=5)


def _show_stages(told: Talk, found: Advice) -> None:
    stages = found.facts.stages
    table = plain_table(
        ("part", "left"), ("map", "left"), ("field", "right"), ("params", "right"),
        ("MACs", "right"), ("activations", "right"), ("to train", "right"), ("time", "right"),
    )  # fmt: skip
    costs = ("params", "macs", "activations", "train_bytes", "seconds")
    wholes = {key: sum(getattr(part, key) for part in stages) or 1 for key in costs}
    for part in stages:
        field = "all" if part.status == "whole" else ""
        table.add_row(
            f"[key]{part.path}[/]",
            "×".join(map(str, part.size)) if part.size else "",
            f"{'×'.join(map(str, part.field))} px" if part.field else field,
            *(f"{getattr(part, key) / wholes[key]:.0%}".replace("%", " %") for key in costs),
        )
    told.say(table)


def _show_steps(told: Talk, found: Advice) -> None:
    """What the budget buys by each rule, and the advised one."""
    base = found.base
    table = plain_table(
        ("within the budget", "left"), ("φ", "right"), ("image", "left"), ("params", "right"),
        ("MACs", "right"), ("activations", "right"), ("to train", "right"), ("latency", "right"),
    )  # fmt: skip
    rows: list[tuple[str, float | None, tuple[int, int, int], dict[str, float]]] = [
        ("as it is", None, base.member.arch.image, dict(base.cost))
    ]
    rows += [
        (step.rule, step.phi, step.image, dict(step.cost))
        for step in found.facts.steps
        if step.why_not is None and step.image is not None
    ]
    advised = found.advised
    rows.append(("advised", advised.member.phi, advised.member.arch.image, dict(advised.cost)))
    for name, phi, image, cost in rows:
        table.add_row(
            f"[key]{name}[/]",
            "" if phi is None else f"{phi:.6g}",
            "×".join(map(str, image)),
            count(cost["params"]),
            count(cost["macs"]),
            count(cost["activations"]),
            size(cost["train_bytes"]),
            f"{cost['latency'] * 1e3:.3g} ms",
        )
    told.say(table)


def _next(found: Advice, out: Path | None) -> list[str]:
    """The commands to type now."""
    if not found.grown:
        return []
    name = out or Path(f"{found.advised.member.arch.name}.toml")
    again: list[str] = []
    if out is None:
        given = [word for word in sys.argv[1:] if word not in ("--json", "-q", "--quiet")]
        again = [shlex.join(["striate", *given, "--out", str(name)])]
    return [
        *again,
        shlex.join(["striate", "check", str(name)]),
        shlex.join(["striate", "fit", found.source, "--arch", str(name), *found.options]),
        *([shlex.join(["striate", "sweep", *found.sweep])] if found.sweep else []),
    ]


def _refuse(out: Path) -> None:
    if out.suffix != ".toml":
        raise InputError(f"--out {out}: name a .toml file")
    if out.exists():
        raise InputError(f"--out {out}: exists already; name another, or take it away")


def _write(out: Path, found: Advice) -> None:
    from striate.arch import to_toml
    from striate.runs.atomic import atomic_write

    _refuse(out)
    atomic_write(out, to_toml(found.advised.member.arch).encode())
