"""``striate export``: a run as an ONNX file that has passed every check, or a refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from striate.cli.completing import complete_run
from striate.cli.console import complain, size, talk
from striate.cli.options import Json, Quiet


def command(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="The folder of a finished run.", autocompletion=complete_run
        ),
    ],
    *,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="onnx.")] = "onnx",
    int8: Annotated[
        bool, typer.Option("--int8", help="Also in 8-bit integers, with checks of its own.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="The folder; else RUN/export."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a run as ONNX, checked against PyTorch on the run's own test images.

    Norms are folded, preprocessing and class names are in the file, and a card lies beside it.
    Nothing is written unless every check is passed.

    Examples:

      striate export runs/photos --to onnx

      striate export runs/photos --int8 --out shipped
    """
    told = talk(as_json=as_json, quiet=quiet)
    with told.waiting("loading PyTorch"):
        from striate.flow.export import Begun, ExportOptions, export_run
        from striate.records import ExportCheck, Exported

    done: Exported | None = None
    for event in export_run(run, ExportOptions(to=to, int8=int8, out=out)):
        if isinstance(event, ExportCheck):
            told.tell(
                f"[good]passed[/] {escape(event.file)}  {event.name}: {escape(event.says)}", hang=2
            )
        elif isinstance(event, Begun):
            for line in event.said if not quiet else ():
                complain("note", line)
        else:
            done = event
    assert done is not None
    told.document(done.as_json())
    norms = f"{done.folded} norms folded" if done.folded or done.left else "no norms to fold"
    if done.left:
        norms += f", {done.left} left (no convolution of their own stands before them)"
    told.tell(norms)
    for path, count in zip(done.files, done.bytes, strict=True):
        told.tell(f"[dim]wrote[/] {escape(path)}  {size(count)}")
