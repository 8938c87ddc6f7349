"""``striate sweep DATA``: depth, width, resolution, side by side, trained."""

from __future__ import annotations

import shlex
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from striate.cli.completing import complete_arch, complete_axis, complete_data, complete_recipe
from striate.cli.console import ReaderGone, show_paragraph, talk
from striate.cli.options import Epochs, Flip, Json, Quiet, Rate, TestShare, ValShare
from striate.cli.stopping import terminated_as_interrupted
from striate.errors import Interrupted

_WHAT, _TRAINING, _DATA, _WORK = "Designs", "Training", "Data", "Workers"


if TYPE_CHECKING:
    from striate.cli.console import Talk
    from striate.flow.sweep import Begun


def command(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="The images, as striate fit takes them.",
            autocompletion=complete_data,
        ),
    ],
    *,
    arch: Annotated[
        list[str] | None,
        typer.Option(
            "--arch",
            metavar="TARGET",
            help="A base: a zoo name, a TOML file, or auto; repeat it.",
            autocompletion=complete_arch,
            rich_help_panel=_WHAT,
        ),
    ] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(
            "--axis",
            metavar="NAME=V,…",
            help="Values of one axis: depth=8,14; repeat it.",
            autocompletion=complete_axis,
            rich_help_panel=_WHAT,
        ),
    ] = None,
    macs: Annotated[
        str | None,
        typer.Option(
            "--macs",
            metavar="N,…",
            help="Grow every design to these MACs: 20M,40M.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    params: Annotated[
        str | None,
        typer.Option(
            "--params", metavar="N,…", help="Or to these parameters.", rich_help_panel=_WHAT
        ),
    ] = None,
    vary: Annotated[
        str | None,
        typer.Option(
            "--vary",
            metavar="RULE,…",
            help="What grows: depth, width, resolution, compound, dwr.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    divisor: Annotated[
        int | None,
        typer.Option(
            "--divisor",
            metavar="N",
            help="Grown widths are multiples of it.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    seeds: Annotated[
        str,
        typer.Option(
            "--seeds",
            metavar="N,…",
            help="Each design once with each: 0:2 is 0, 1, 2.",
            rich_help_panel=_TRAINING,
        ),
    ] = "0:2",
    epochs: Epochs = None,
    batch: Annotated[
        int | None,
        typer.Option("--batch", metavar="N", help="Images a step.", rich_help_panel=_TRAINING),
    ] = None,
    lr: Rate = None,
    flip: Flip = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            metavar="NAME",
            help="standard, or a recipe.toml.",
            autocompletion=complete_recipe,
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Stop what a cheaper design has clearly beaten.",
            rich_help_panel=_TRAINING,
        ),
    ] = False,
    image: Annotated[
        str | None,
        typer.Option(
            "--image",
            metavar="HxW",
            help="Bring all images to 32x32, or 3x32x32.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    share: Annotated[
        float,
        typer.Option(
            "--share",
            metavar="SHARE",
            help="How much of the training images is used.",
            rich_help_panel=_DATA,
        ),
    ] = 1.0,
    fit: Annotated[
        Literal["crop", "pad", "stretch"],
        typer.Option(
            "--fit", metavar="HOW", help="Other sizes: crop, pad or stretch.", rich_help_panel=_DATA
        ),
    ] = "crop",
    bad_images: Annotated[
        Literal["error", "skip"],
        typer.Option(
            "--bad-images",
            metavar="HOW",
            help="Unreadable files: error, or skip.",
            rich_help_panel=_DATA,
        ),
    ] = "error",
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="REGEX",
            help="Keep files with the same match together.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    val: ValShare = 0.1,
    test: TestShare = 0.2,
    workers: Annotated[
        int,
        typer.Option(
            "--workers",
            metavar="N",
            help="Processes that train here, side by side.",
            rich_help_panel=_WORK,
        ),
    ] = 1,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            metavar="N",
            help="CPU threads of each; else a fair share.",
            rich_help_panel=_WORK,
        ),
    ] = None,
    setting: Annotated[
        Literal["auto", "fp32", "fp32-channels-last", "bf16", "bf16-channels-last"],
        typer.Option(
            "--setting",
            metavar="NAME",
            help="Of all designs; auto measures once.",
            rich_help_panel=_WORK,
        ),
    ] = "auto",
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        typer.Option(
            "--device", metavar="NAME", help="cpu, cuda, mps; or auto.", rich_help_panel=_WORK
        ),
    ] = "auto",
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage",
            metavar="URL",
            help="postgresql://… that many machines share; else SQLite.",
            rich_help_panel=_WORK,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="Of the sweep, and of its study.", rich_help_panel=_WORK
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Its folder; else sweeps/NAME.", rich_help_panel=_WORK
        ),
    ] = None,
    lease: Annotated[
        int,
        typer.Option(
            "--lease",
            metavar="SECONDS",
            help="Silence after which a worker elsewhere counts as dead.",
            rich_help_panel=_WORK,
        ),
    ] = 60,
    retry: Annotated[
        bool,
        typer.Option("--retry", help="Train again what had failed.", rich_help_panel=_WORK),
    ] = False,
    latency_batch: Annotated[
        int,
        typer.Option(
            "--latency-batch",
            metavar="N",
            help="Images of the measured latency.",
            rich_help_panel=_WORK,
        ),
    ] = 1,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="List the designs with their costs; train nothing.",
            rich_help_panel=_WHAT,
        ),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train designs side by side, and show what depth, width and resolution buy.

    The same command again goes on where it stopped; nothing is trained twice.

    Examples:

      striate sweep photos/ --arch resnet20 --axis depth=8,14 --axis width=8,16

      striate sweep photos/ --macs 20M,40M --vary depth,width,compound --dry-run

      striate sweep photos/ --arch resnet20 --arch deit_tiny_patch16 --axis width=x1,x2

      striate sweep … --storage postgresql://me@server/sweeps    on many machines
    """
    told = talk(as_json=as_json, quiet=quiet)
    with told.waiting("loading PyTorch"):
        from striate.cli.sweep_table import Board, show_plan, show_result
        from striate.flow.events import FitOptions
        from striate.flow.sweep import Begun, Measuring, Planned, Progress, stopped, sweep_events
        from striate.flow.sweep_options import SweepOptions, parse_amounts, parse_seeds

    options = SweepOptions(
        arch=tuple(arch or ("auto",)),
        axes=tuple(axis or ()),
        macs=() if macs is None else parse_amounts(macs, "--macs"),
        params=() if params is None else parse_amounts(params, "--params"),
        vary=() if vary is None else tuple(part.strip() for part in vary.split(",")),
        seeds=parse_seeds(seeds),
        divisor=divisor,
        training=FitOptions(
            image=image, epochs=epochs, batch=batch, lr=lr, flip=flip, recipe=recipe,
            threads=threads, setting=setting, device=device, fit=fit, bad_images=bad_images,
            group=group, val=val, test=test,
        ),
        share=share,
        workers=workers,
        storage=storage,
        name=name,
        out=out,
        lease=lease,
        prune=prune,
        retry=retry,
        latency_batch=latency_batch,
        command=" ".join(["striate", *map(shlex.quote, sys.argv[1:])]),
    )  # fmt: skip
    folder: Path | None = None
    with (
        Board(told) as board,
        terminated_as_interrupted(),
        closing(sweep_events(data, options)) as events,
    ):
        try:
            for event in events:
                if isinstance(event, Planned):
                    show_plan(told, event.plan)
                    if dry_run:
                        told.document(event.result.as_json())
                        return
                elif isinstance(event, Measuring):
                    board.close()
                    told.tell(f"[dim]measuring {event.what} …[/]")
                elif isinstance(event, Begun):
                    folder = event.out
                    _begin(told, event)
                elif isinstance(event, Progress):
                    for note in event.notes:
                        show_paragraph(told.progress, f"[yellow]note:[/] {escape(note)}", hang=2)
                    board.show(event.result)
                else:
                    board.close()
                    show_result(told, event.result)
                    told.tell(f"[key]Page[/]  {escape(str(event.page))}")
                    told.document(event.result.as_json())
        except KeyboardInterrupt:
            board.close()
            events.close()  # the workers save first
            raise stopped(folder) from None
        except ReaderGone:
            events.close()
            raise Interrupted(f"the reader of the output has gone: {stopped(folder)}") from None


def _begin(told: Talk, event: Begun) -> None:
    """What is about to happen, and what need not."""
    settled = event.settled
    parts = [f"{event.workers} worker{'s' if event.workers > 1 else ''}, {event.setting}"]
    if event.found:
        parts.append(f"{event.found} of the trainings are done already")
    if settled.again:
        parts.append(f"{len(settled.again)} that stopped before their end go on")
    told.tell(f"[key]Training[/]  {', '.join(parts)}", hang=2)
    told.tell(f"into {escape(str(event.out))}", indent=2, hang=2)
    if not event.storage.startswith("sqlite"):
        told.tell(f"the study lies at {escape(event.storage)}", indent=2, hang=2)
    for name in settled.given_up:
        told.tell(f"[bad]given up[/]  {escape(name)}: its workers died; --retry tries again")
