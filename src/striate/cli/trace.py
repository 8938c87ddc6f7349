"""``striate trace TARGET``: the layer table; with ``--sweep`` sizes, with ``--against`` changes,
with ``--reconcile`` why others' totals differ.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer
from rich.markup import escape

from striate.cli.completing import complete_target
from striate.cli.console import Talk, talk
from striate.cli.layers import notes, rows_as_text, stopped, totals_lines, unknown
from striate.cli.options import Image, Json, Quiet
from striate.errors import InputError, TraceError
from striate.records import Trace
from striate.records.optimiser import OPTIMISERS, known_optimiser
from striate.records.trace_columns import COLUMNS, SORTS, TRAINING
from striate.records.trace_text import View, comma_separated, lines, markdown, table

Format = Literal["table", "markdown", "csv", "json", "html"]


def command(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="A zoo name, a TOML file, file.py:Net, package.module:Net, timm/NAME, "
            "torchvision/NAME or hf/NAME.",
            autocompletion=complete_target,
        ),
    ],
    *,
    image: Image = None,
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth", metavar="N", help="Modules N deep in the module tree are one row each."
        ),
    ] = None,
    chosen: Annotated[
        str | None,
        typer.Option("--columns", metavar="A,B,…", help=f"Of {', '.join(COLUMNS)}."),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="COLUMN", help=f"The largest first: {', '.join(SORTS)}."),
    ] = None,
    train: Annotated[
        bool,
        typer.Option("--train", help="A training step: backward too, and the memory of it all."),
    ] = False,
    batch: Annotated[int, typer.Option("--batch", metavar="N", min=1, help="Images at once.")] = 1,
    optimiser: Annotated[
        str | None,
        typer.Option(
            "--optimiser",
            metavar="NAME",
            help=f"With --train: what it keeps too, of {', '.join(OPTIMISERS)}.",
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every operation by itself, pointwise ones and views too.")
    ] = False,
    sizes: Annotated[
        str | None,
        typer.Option(
            "--sweep",
            metavar="FIRST:LAST[:STEP]",
            help="Try square images of these sizes: which are valid, which suit the network.",
        ),
    ] = None,
    other: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="TARGET",
            help="What is different in this network.",
            autocompletion=complete_target,
        ),
    ] = None,
    tools: Annotated[
        str | None,
        typer.Option(
            "--reconcile",
            metavar="TOOL,…",
            help="Why totals differ: run torchinfo, fvcore, ptflops, calflops, torch too.",
        ),
    ] = None,
    format_: Annotated[
        Format,
        typer.Option("--format", help="How it is written; html is a page to look around in."),
    ] = "table",
    file: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write it there; html has a name of its own."),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture", metavar="FILE", help="An image to draw receptive fields on, in html."
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """What a network does to an image, layer by layer, without running it.

    Examples:

      striate trace resnet50

      striate trace my_net.py:Net --image 3x64x64 --sort macs

      striate trace resnet50 --train --batch 32 --optimiser adamw

      striate trace resnet18 --sweep 16:512

      striate trace resnet18 --against resnet34

      striate trace resnet18 --reconcile torchinfo,ptflops

      striate trace resnet50 --format html --picture cat.jpg

      striate trace design.toml --json | jq .totals
    """  # fmt: skip
    if as_json and format_ not in ("table", "json"):
        raise InputError(f"--json --format {format_}: two ways to write one thing; leave one out")
    kind: Format = "json" if as_json else format_
    if picture is not None and kind != "html":
        raise InputError(f"--picture {picture}: is for --format html")
    asked = [("--sweep", sizes), ("--against", other), ("--reconcile", tools)]
    questions = [name for name, value in asked if value is not None]
    if len(questions) > 1:
        raise InputError(
            f"{' and '.join(questions[:2])}: two questions; ask them one after the other"
        )
    out = talk(as_json=kind == "json", quiet=quiet)
    names = tuple(part.strip() for part in chosen.split(",")) if chosen is not None else None
    _training_asked(questions, train=train, batch=batch, optimiser=optimiser)
    if train and names is None and kind in ("table", "markdown"):
        names = TRAINING
    view = View(depth=depth, columns=names, sort=sort, every=every)
    if sizes is not None:
        _alone("--sweep", view, kind, {"table", "markdown", "csv", "json"})
        _sweep(out, target, sizes, image, kind, file)
    elif other is not None:
        _alone("--against", view, kind, {"table", "json"})
        _against(out, target, other, image, file)
    elif tools is not None:
        _alone("--reconcile", view, kind, {"table", "json"})
        _reconcile(out, target, tools, image, file)
    else:
        _trace(out, target, image, view, kind, file, picture, (train, batch, optimiser))


def _training_asked(
    questions: list[str], *, train: bool, batch: int, optimiser: str | None
) -> None:
    """Refuse options of a training step where none is traced."""
    if optimiser is not None:
        if not train:
            raise InputError(f"--optimiser {optimiser}: is for training; give --train with it")
        try:
            known_optimiser(optimiser)
        except InputError as error:
            raise InputError(f"--{error}") from error
    for name, given in (("--train", train), ("--batch", batch > 1)):
        if given and questions:
            raise InputError(f"{name}: is for the layer table and does not go with {questions[0]}")


def _alone(what: str, view: View, kind: Format, formats: set[Format]) -> None:
    """Refuse options that say how layers are shown, where layers are not what is shown."""
    for name, given in (
        ("--depth", view.depth), ("--columns", view.columns), ("--sort", view.sort),
        ("--all", view.every or None),
    ):  # fmt: skip
        if given is not None:
            raise InputError(f"{name}: is for the layer table and does not go with {what}")
    if kind not in formats:
        known = ", ".join(name for name in get_args(Format) if name in formats)
        raise InputError(f"--format {kind}: does not go with {what}; choose from {known}")


def _trace(
    out: Talk,
    target: str,
    image: str | None,
    view: View,
    kind: Format,
    file: Path | None,
    picture: Path | None,
    training: tuple[bool, int, str | None],
) -> None:
    try:  # what cannot be shown is refused before anything is built
        table((), view)
    except InputError as error:
        raise InputError(f"--{error}") from error
    from striate.flow.network import Forward
    from striate.flow.trace import trace_target

    train, batch, optimiser = training
    how = Forward(train=train, batch=batch, optimiser=optimiser)
    with out.waiting(f"tracing {target}"):
        traced = trace_target(target, image, how)
    shown = table(traced.layers, view, traced.modules)
    if kind == "html":
        _page(out, traced, file, picture)
    elif kind == "json":
        _document(out, traced.as_json(), file)
    elif kind == "markdown":
        _write(out, markdown(shown), file)
    elif kind == "csv":
        _write(out, comma_separated(traced.layers, view, traced.modules), file)
    elif file is not None:
        _write(out, "\n".join(lines(shown)) + "\n", file)
    if file is None and kind in ("table", "json"):
        out.say(rows_as_text(shown, width=out.columns))
        for line in (*totals_lines(traced, every=view.every), *notes(shown)):
            out.tell(line, hang=2)
    if kind in ("table", "json", "html"):
        for line in unknown(traced.unknown):
            out.tell(line, hang=2)
    if traced.failure is not None:
        raise TraceError(f"{target}: {stopped(traced.failure)}")


def _sweep(
    out: Talk, target: str, sizes: str, image: str | None, kind: Format, file: Path | None
) -> None:
    from striate.cli.trace_sweep import show_sweep, sweep_csv, sweep_markdown, swept
    from striate.flow.targets import resolve
    from striate.flow.trace_sweep import parse_sweep

    plan = parse_sweep(sizes)
    found = swept(out, resolve(target), plan, image)
    if kind == "json":
        _document(out, found.as_json(), file)
    elif kind == "markdown":
        _write(out, sweep_markdown(found), file)
    elif kind == "csv":
        _write(out, sweep_csv(found), file)
    if kind in ("table", "json"):
        show_sweep(out, found, plan)


def _against(out: Talk, target: str, other: str, image: str | None, file: Path | None) -> None:
    from striate.cli.trace_against import show_comparison
    from striate.flow.against import trace_against

    with out.waiting(f"tracing {target} and {other}"):
        found = trace_against(target, other, image)
    _document(out, found.as_json(), file)
    show_comparison(out, found)


def _reconcile(out: Talk, target: str, tools: str, image: str | None, file: Path | None) -> None:
    from striate.cli.trace_reconcile import reconciled, show_reconciled

    found = reconciled(out, target, tools, image)
    _document(out, found.as_json(), file)
    show_reconciled(out, found)


def _page(out: Talk, traced: Trace, file: Path | None, picture: Path | None) -> None:
    from striate.flow.trace_page import page_name, trace_page

    page = trace_page(traced, picture)
    _write(out, page, file or Path(page_name(traced)))


def _document(out: Talk, document: dict[str, object], file: Path | None) -> None:
    if file is None:
        out.document(document)
    elif out.as_json:
        _write(out, json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n", file)


def _write(out: Talk, text: str, file: Path | None) -> None:
    """On stdout, or whole into a file."""
    if file is None:
        out.raw(text)
        return
    from striate.runs.atomic import atomic_write  # loads torch

    atomic_write(file, text.encode())
    out.tell(f"wrote [key]{escape(str(file))}[/]")
