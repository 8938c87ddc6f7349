"""``striate push``: a run on the Hugging Face hub."""

from __future__ import annotations

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
    to: Annotated[str, typer.Argument(metavar="hub:USER/NAME", help="Where to.")],
    *,
    private: Annotated[
        bool, typer.Option("--private", help="A new repository is private.")
    ] = False,
    images: Annotated[
        str,
        typer.Option(
            "--images",
            metavar="none|embed",
            help="embed: also the report, which shows images of the data.",
        ),
    ] = "none",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the files; ask the hub nothing.")
    ] = False,
    message: Annotated[
        str, typer.Option("--message", "-m", metavar="TEXT", help="Of the commit.")
    ] = "A run of striate",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Put a finished run on the Hugging Face hub, with a card that says what it is.

    Its weights, network, preprocessing and recipe, and what it was exported to, go there in one
    commit; images of your data only where asked. The token is HF_TOKEN, or that of hf auth login.

    Examples:

      striate push runs/photos hub:me/photos --dry-run

      striate push runs/photos hub:me/photos --private

      striate predict hub:me/photos cat.png
    """
    told = talk(as_json=as_json, quiet=quiet)
    with told.waiting("loading PyTorch"):
        from striate.flow.push import PushOptions, Ready, push_events
        from striate.records.push import Pushed

    options = PushOptions(private=private, images=images, dry_run=dry_run, message=message)
    done: Pushed | None = None
    for event in push_events(run, to, options):
        if isinstance(event, Ready):
            for line in event.said if not quiet else ():
                complain("note", line)
            for name, count in event.pushed.files:
                told.tell(f"{escape(name)}  {size(count)}")
        else:
            done = event
    assert done is not None
    told.document(done.as_json())
    for name in done.removed:
        told.tell(f"[dim]removed[/] {escape(name)}, which was of an earlier push")
    total = size(sum(count for _, count in done.files))
    if done.url is None:
        told.tell(f"{len(done.files)} files, {total}; --dry-run: nothing was sent")
    else:
        told.tell(f"[good]pushed[/] {len(done.files)} files, {total}: {escape(done.url)}")
