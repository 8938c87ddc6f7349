"""``striate fit``: from images to a checked, trained, explained network."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from striate.cli.completing import complete_arch, complete_data
from striate.cli.console import ReaderGone, talk
from striate.cli.options import Image, Json, Quiet
from striate.errors import InputError, Interrupted

DATA = "digits, shapes, a folder with a folder per class, parquet files, or an .npz file."


def command(
    context: typer.Context,
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help=DATA, autocompletion=complete_data)
    ] = None,
    *,
    arch: Annotated[
        str,
        typer.Option(
            "--arch", metavar="TARGET", help="A network, or auto.", autocompletion=complete_arch
        ),
    ] = "auto",
    image: Image = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes over the images.")] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="Plan the training to this time instead.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The run's folder, a new one.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="DIR", help="Go on with a stopped run.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Of weights, order and augmentation: else 0.")
    ] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Images a step.")] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Highest learning rate.")] = None,
    flip: Annotated[
        bool | None,
        typer.Option("--flip/--no-flip", help="Mirror images while training (colour: yes)."),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", metavar="FILE", help="A recipe.toml whose keys replace defaults."),
    ] = None,
    fit: Annotated[
        Literal["crop", "pad", "stretch"],
        typer.Option("--fit", help="How images of other sizes are brought to one size."),
    ] = "crop",
    bad_images: Annotated[
        Literal["error", "skip"],
        typer.Option("--bad-images", help="Stop at a file that cannot be read, or leave it out."),
    ] = "error",
    group: Annotated[
        str | None,
        typer.Option("--group", metavar="REGEX", help="Keep files with the same match together."),
    ] = None,
    val: Annotated[
        float, typer.Option("--val", help="Share for validation, where none came.")
    ] = 0.1,
    test: Annotated[
        float, typer.Option("--test", help="Share for the test, where none came.")
    ] = 0.2,
    setting: Annotated[
        Literal["auto", "fp32", "fp32-channels-last", "bf16", "bf16-channels-last"],
        typer.Option("--setting", help="Numeric setting; auto measures them."),
    ] = "auto",
    reprobe: Annotated[
        bool, typer.Option("--reprobe", help="Measure the settings again, not from memory.")
    ] = False,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], typer.Option("--device", help="Where to train.")
    ] = "auto",
    threads: Annotated[int | None, typer.Option("--threads", help="CPU threads.")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Loader processes; else none.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Look at images, choose a network, check it, train it, and explain what it learned.

    Examples:

      striate fit                                    the built-in digits

      striate fit photos/ --minutes 10               your own: a folder with a folder per class

      striate fit photos/ --arch resnet18 --image 3x64x64 --out runs/first

      striate fit --resume runs/first                after Ctrl-C, a crash or a power cut
    """
    if resume is not None:
        _refuse_more(context, resume)
    out_ = talk(as_json=as_json, quiet=quiet)
    with out_.waiting("loading PyTorch"):
        from striate.cli.fitting import Display
        from striate.flow.events import FitOptions
        from striate.flow.fit import fit_events

    options = FitOptions(
        arch=arch,
        image=image,
        epochs=_at_least(1, "--epochs", epochs),
        minutes=_positive("--minutes", minutes),
        batch=_at_least(1, "--batch", batch),
        lr=_positive("--lr", lr),
        flip=flip,
        recipe=recipe,
        seed=_at_least(0, "--seed", seed),
        workers=_at_least(0, "--workers", workers),
        threads=_at_least(1, "--threads", threads),
        setting=setting,
        reprobe=reprobe,
        device=device,
        out=out,
        resume=resume,
        fit=fit,
        bad_images=bad_images,
        group=group,
        val=val,
        test=test,
    )
    line = " ".join(["striate", *map(shlex.quote, sys.argv[1:])])
    with Display(out_) as display, _terminated_as_interrupted():
        try:
            for event in fit_events(data, options, command=line, reading=display.reading):
                display.show(event)
        except KeyboardInterrupt:
            raise Interrupted(_stopped(display.folder or resume)) from None
        except ReaderGone:
            where = _stopped(display.folder or resume)
            raise Interrupted(f"the reader of the output has gone: {where}") from None
    assert display.run is not None
    out_.document(display.run.as_json())


def _refuse_more(context: typer.Context, resume: Path) -> None:
    """InputError where anything was asked for that a resumed run would not heed."""
    given: list[str] = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in _WITH_RESUME or source is None or source.name == "DEFAULT":
            continue
        written = parameter.opts[0].startswith("-")
        given.append(max(parameter.opts, key=len) if written else str(context.params["data"]))
    if given:
        raise InputError(
            f"--resume {resume}: the run goes on with its own data, network and settings; "
            f"leave out {', '.join(given)}"
        )


_WITH_RESUME = frozenset({"resume", "as_json", "quiet"})


@contextmanager
def _terminated_as_interrupted() -> Generator[None]:
    """SIGTERM (what a cluster sends) ends the program as Ctrl-C does, by the same road."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stopped(folder: Path | None) -> str:
    if folder is None:
        return "stopped before training began; nothing was written"
    return f"stopped; what was done is kept, and --resume {folder} goes on"


def _at_least(least: int, name: str, value: int | None) -> int | None:
    if value is not None and value < least:
        raise InputError(f"{name} {value}: must be at least {least}")
    return value


def _positive(name: str, value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise InputError(f"{name} {value:g}: must be a positive number")
    return value
