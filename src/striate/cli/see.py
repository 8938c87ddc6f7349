"""``striate see RUN``: what a trained network learned, with a check behind every picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from striate.cli.bars import Bars
from striate.cli.completing import complete_run
from striate.cli.console import Talk, duration, plain_table, talk
from striate.cli.options import Json, Quiet
from striate.cli.stopping import terminated_as_interrupted
from striate.errors import InputError, Interrupted
from striate.flow.ways import WAYS

if TYPE_CHECKING:
    from striate.flow.see import Seen
    from striate.records import Evidence


def _complete_way(incomplete: str) -> list[tuple[str, str]]:
    return [(way.name, way.what) for way in WAYS if way.name.startswith(incomplete)]


def command(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="The folder that striate fit wrote.", autocompletion=complete_run
        ),
    ],
    images: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="IMAGE…", help="Files to explain; without any, a few of the run's test split."
        ),
    ] = None,
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="NAME",
            help=f"One way alone (may be given again): {', '.join(w.name for w in WAYS)}.",
            autocompletion=_complete_way,
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            "--layer", metavar="PATH", help="Explain at this module (stages.1), not the chosen one."
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="R,C", help="mechanics: the position in the layer's output."),
    ] = None,
    channel: Annotated[
        int | None,
        typer.Option("--channel", metavar="N", help="mechanics: the channel of its output."),
    ] = None,
    pictures: Annotated[
        int, typer.Option("--pictures", metavar="N", help="Test images, where none are named.")
    ] = 4,
    confirm: Annotated[
        bool,
        typer.Option("--confirm", help="tail: train it again without the blocks that could go."),
    ] = False,
    twin: Annotated[
        bool,
        typer.Option("--twin", help="Train its plain (or residual) twin alike; side by side."),
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="RUN",
            help="Side by side with this run on the same data.",
            autocompletion=complete_run,
        ),
    ] = None,
    embed: Annotated[
        Literal["embed", "none"] | None,
        typer.Option(
            "--images",
            metavar="HOW",
            help="Images of the data in the report: embed or none (as fit was asked; "
            "else none but built-in ones).",
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Look inside a run: each picture carries its checks, and is withheld where one fails.

    What is seen goes into the run's evidence/ and its report.html, which is written again.

    Examples:

      striate see runs/digits

      striate see runs/digits cat.png dog.png --only decision

      striate see runs/digits --only mechanics --layer stages.1.blocks.0.conv1 --at 3,4

      striate see runs/digits --only tail --confirm

      striate see runs/digits --only beside --twin
    """
    told = talk(as_json=as_json, quiet=quiet)
    place = None if at is None else _place(at)
    if pictures < 1:
        raise InputError(f"--pictures {pictures}: must be at least 1")
    with told.waiting("loading PyTorch"):
        from striate.flow.see import see
        from striate.seeing.subject import LookOptions

    options = LookOptions(pictures=pictures, layer=layer, at=place, channel=channel)
    try:
        with terminated_as_interrupted(), Bars(told) as bars:
            seen = see(
                run,
                images or (),
                only=only or (),
                confirm=confirm,
                twin=twin,
                against=against,
                embed=embed,
                options=options,
                progress=bars.show,
            )
    except KeyboardInterrupt:
        kept = "the same command goes on" if confirm or twin else "no file is left half-written"
        raise Interrupted(f"stopped; what was seen is kept, and {kept}") from None
    told.document(seen.as_json())
    _show(told, seen)


def _place(text: str) -> tuple[int, int]:
    row, _, column = text.partition(",")
    if not (row.strip().isdigit() and column.strip().isdigit()):
        raise InputError(f"--at {text}: not a position; write row,column, as in --at 3,4")
    return int(row), int(column)


def _show(told: Talk, seen: Seen) -> None:
    for notice in seen.notices:
        told.tell(f"[dim]note:[/] {escape(notice)}", hang=2)
    table = plain_table(("", "left"), ("what was looked at", "left"), ("checks", "left"))
    for piece in seen.evidence:
        mark, verdict = _verdict(piece)
        table.add_row(mark, escape(f"{piece.name}  {piece.title}"), escape(verdict))
    told.say(table)
    shown = sum(not piece.withheld and piece.inapplicable is None for piece in seen.evidence)
    withheld = sum(piece.withheld for piece in seen.evidence)
    told.tell(
        f"{shown} shown, {withheld} withheld; {duration(sum(seen.seconds.values()))}. "
        f"Report: [key]{escape(seen.report)}[/]"
    )
    if not seen.embedded:
        told.tell("[dim]Images of your data are not in it; --images embed puts them in.[/]")


def _verdict(piece: Evidence) -> tuple[str, str]:
    """A mark, and in words what the checks said."""
    if piece.inapplicable is not None:
        return "[dim]–[/]", piece.inapplicable
    if piece.withheld:
        failed = [one for one in piece.checks if not one.passed]
        numbers = "; ".join(f"{one.name} {one.value:.3g} (limit {one.limit:.3g})" for one in failed)
        return "[bad]withheld[/]", numbers
    return "[good]shown[/]", f"{len(piece.checks)} passed" if piece.checks else "none needed"
