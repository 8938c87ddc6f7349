"""``striate code``: a network as plain PyTorch source."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from striate.cli.completing import complete_coded
from striate.cli.console import complain, talk
from striate.cli.options import Json, Quiet
from striate.errors import OutputError


def command(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="A zoo name, a TOML file, or the folder of a run.",
            autocompletion=complete_coded,
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write it there, and not on the screen."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a network as plain PyTorch source, which needs PyTorch alone.

    A run's source reads its weights, prepares pixels and names classes. The text is run and
    compared with the network before it is handed over.

    Examples:

      striate code resnet50                       on the screen

      striate code efficientnet_b0-small --out net.py

      striate code runs/photos --out photos.py    with the weights of a run
    """
    told = talk(as_json=as_json, quiet=quiet)
    if out is not None:
        if out.exists():
            raise OutputError(f"--out {out}: exists already; name another, or take it away")
        if not out.absolute().parent.is_dir():
            raise OutputError(f"--out {out}: there is no folder {out.parent}; make it first")
    with told.waiting("loading PyTorch"):
        from striate.flow.code import code
        from striate.runs import atomic_write

    written = code(target, out=out)
    if not quiet:
        for line in written.said:
            complain("note", line)
    told.document(
        {
            "striate": 1,
            "target": target,
            "class": written.name,
            "lines": written.text.count("\n"),
            "checked": list(written.checked),
            "out": None if out is None else str(out),
            "code": written.text,
        }
    )
    if out is not None:
        atomic_write(out, written.text.encode())
        told.tell(
            f"[dim]wrote[/] {escape(str(out))}: {escape(written.name)}, "
            f"{written.text.count(chr(10))} lines; equal: {', '.join(written.checked)}",
            hang=2,
        )
    elif not as_json:
        told.raw(written.text)
