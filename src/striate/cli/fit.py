"""``striate fit``: from images to a checked, trained, explained network."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from striate.cli.console import talk
from striate.cli.options import Image, Json, Quiet
from striate.cli.zoo import _complete as complete_target
from striate.errors import InputError

DATA = "digits, shapes, a folder with a folder per class, parquet files, or an .npz file."


def command(
    data: Annotated[str | None, typer.Argument(metavar="DATA", help=DATA)] = None,
    *,
    arch: Annotated[
        str,
        typer.Option(
            "--arch", metavar="TARGET", help="A network, or auto.", autocompletion=complete_target
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
    seed: Annotated[int, typer.Option("--seed", help="Of weights, order and augmentation.")] = 0,
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
    workers: Annotated[int, typer.Option("--workers", help="Loader processes.")] = 0,
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
    if resume is not None and data is not None:
        raise InputError(f"--resume {resume}: the run knows its data; leave {data} out")
    out_ = talk(as_json=as_json, quiet=quiet)
    from striate.cli.fitting import Display
    from striate.flow.events import FitOptions
    from striate.flow.fit import fit_events

    options = FitOptions(
        arch=arch,
        image=image,
        epochs=_at_least_one("--epochs", epochs),
        minutes=_positive("--minutes", minutes),
        batch=_at_least_one("--batch", batch),
        lr=_positive("--lr", lr),
        flip=flip,
        recipe=recipe,
        seed=seed,
        workers=workers,
        threads=_at_least_one("--threads", threads),
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
    with Display(out_) as display:
        for event in fit_events(data, options, command=line, reading=display.reading):
            display.show(event)
    assert display.run is not None
    out_.document(display.run.as_json())


def _at_least_one(name: str, value: int | None) -> int | None:
    if value is not None and value < 1:
        raise InputError(f"{name} {value}: must be at least 1")
    return value


def _positive(name: str, value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise InputError(f"{name} {value:g}: must be a positive number")
    return value
