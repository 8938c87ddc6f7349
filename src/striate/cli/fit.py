"""``striate fit``: from images to a checked, trained, explained network."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from striate.cli.completing import complete_arch, complete_data, complete_key, complete_recipe
from striate.cli.console import ReaderGone, complain, talk
from striate.cli.fit_refusals import refuse_more, refuse_with_folds
from striate.cli.options import (
    Cache,
    DiskCache,
    Epochs,
    Flip,
    Json,
    Quiet,
    Rate,
    TestShare,
    ValShare,
    at_least,
    batch_option,
    positive,
)
from striate.cli.processes import follower, launched_here, take_place
from striate.cli.stopping import stopped, terminated_as_interrupted
from striate.errors import Interrupted, ProcessLost

DATA = "digits, shapes, a folder with a folder per class, parquet files, or an .npz file."
_DATA, _TRAINING, _MACHINE, _RUN = "Data", "Training", "Machine", "Run"


def command(
    context: typer.Context,
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help=DATA, autocompletion=complete_data)
    ] = None,
    *,
    image: Annotated[
        str | None,
        typer.Option(
            "--image",
            metavar="HxW",
            help="Bring all images to 224x224, or 3x224x224.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    fit: Annotated[
        Literal["crop", "pad", "stretch"],
        typer.Option(
            "--fit",
            metavar="HOW",
            help="How other sizes are brought to it: crop, pad or stretch.",
            rich_help_panel=_DATA,
        ),
    ] = "crop",
    bad_images: Annotated[
        Literal["error", "skip"],
        typer.Option(
            "--bad-images",
            metavar="HOW",
            help="A file that cannot be read: error, or skip it.",
            rich_help_panel=_DATA,
        ),
    ] = "error",
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="REGEX",
            help="Keep files with the same match in one split.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    val: ValShare = 0.1,
    test: TestShare = 0.2,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            metavar="K",
            help="Cross-validate: train K times, each on all but one of K parts.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    cache: Cache = None,
    disk_cache: DiskCache = None,
    arch: Annotated[
        str,
        typer.Option(
            "--arch",
            metavar="TARGET",
            help="The network, as striate trace takes it, or auto.",
            autocompletion=complete_arch,
            rich_help_panel=_TRAINING,
        ),
    ] = "auto",
    epochs: Epochs = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            metavar="N",
            help="Plan the training to this time instead.",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch",
            metavar="N|auto",
            help="Images a step; auto looks whether they fit.",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    lr: Rate = None,
    flip: Flip = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            help="Of weights, order and augmentation; else 0.",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            metavar="NAME|FILE",
            help="quick, standard, strong, finetune, or a recipe.toml.",
            autocompletion=complete_recipe,
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A key of the recipe, as tta=flip; may be repeated.",
            autocompletion=complete_key,
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="FILE",
            help="Begin with these (timm's, torchvision's, or a run).",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    pretrained: Annotated[
        bool,
        typer.Option(
            "--pretrained",
            help="Begin with the hub's weights of --arch.",
            rich_help_panel=_TRAINING,
        ),
    ] = False,
    setting: Annotated[
        Literal["auto", "fp32", "fp32-channels-last", "bf16", "bf16-channels-last"],
        typer.Option(
            "--setting",
            metavar="NAME",
            help="fp32, bf16, either with -channels-last; or auto.",
            rich_help_panel=_MACHINE,
        ),
    ] = "auto",
    reprobe: Annotated[
        bool,
        typer.Option("--reprobe", help="Measure the settings again.", rich_help_panel=_MACHINE),
    ] = False,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        typer.Option(
            "--device", metavar="NAME", help="cpu, cuda, mps; or auto.", rich_help_panel=_MACHINE
        ),
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option("--threads", metavar="N", help="CPU threads.", rich_help_panel=_MACHINE),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", metavar="N", help="Loader processes; else none.", rich_help_panel=_MACHINE
        ),
    ] = None,
    procs: Annotated[
        int | None,
        typer.Option(
            "--procs",
            metavar="N",
            help="Train in N processes that share each batch.",
            rich_help_panel=_MACHINE,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="The run's folder, a new one.", rich_help_panel=_RUN
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", metavar="DIR", help="Go on with a stopped run.", rich_help_panel=_RUN
        ),
    ] = None,
    checkpoint_every: Annotated[
        float,
        typer.Option(
            "--checkpoint-every",
            metavar="SECONDS",
            help="Save within an epoch too.",
            rich_help_panel=_RUN,
        ),
    ] = 600.0,
    images: Annotated[
        Literal["embed", "none"] | None,
        typer.Option(
            "--images",
            metavar="HOW",
            help="Images of the data in the report: embed or none (none but built-in ones).",
            rich_help_panel=_RUN,
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Look at images, choose a network, check it, train it, and explain what it learned.

    Examples:

      striate fit                             the built-in digits

      striate fit photos/ --minutes 10        a folder with a folder per class

      striate fit photos/ --arch resnet18 --image 64x64 --out runs/first

      striate fit photos/ --arch resnet50 --pretrained --image 224x224

      striate fit photos/ --recipe strong --set tta=flip --set sampling=balanced

      striate fit --resume runs/first         after Ctrl-C, a crash, a power cut

      striate fit photos/ --procs 2           two processes here; torchrun or srun for more

      striate fit photos/ --folds 5           a mean over five validation parts
    """
    take_place()
    if resume is not None:
        refuse_more(context, resume)
    in_folds = folds is not None or (resume is not None and (resume / "folds.json").is_file())
    if in_folds:
        refuse_with_folds(context, at_least(2, "--folds", folds), procs)
    if (at_least(1, "--procs", procs) or 1) > 1 and not launched_here():
        with talk(as_json=as_json, quiet=quiet).waiting("loading PyTorch"):
            from striate.flow.launch import launch

        code = launch(sys.argv[1:], procs or 1, partial(complain, "note"))
        # The first process has said where the state was saved.
        raise Interrupted("") if code == Interrupted.exit_code else typer.Exit(code)
    follows = follower()
    out_ = talk(as_json=as_json and not follows, quiet=quiet or follows)
    with out_.waiting("loading PyTorch"):
        from striate.cli.fitting import Display
        from striate.cli.folds import run_folds
        from striate.flow.events import FitOptions
        from striate.flow.fit import fit_events
        from striate.flow.key_values import key_values

    options = FitOptions(
        arch=arch,
        image=image,
        epochs=at_least(1, "--epochs", epochs),
        minutes=positive("--minutes", minutes),
        batch=batch_option(batch),
        lr=positive("--lr", lr),
        flip=flip,
        recipe=recipe,
        changes=key_values(set_ or ()),
        weights=weights,
        pretrained=pretrained,
        seed=at_least(0, "--seed", seed),
        workers=at_least(0, "--workers", workers),
        threads=at_least(1, "--threads", threads),
        setting=setting,
        reprobe=reprobe,
        device=device,
        out=out,
        resume=resume,
        checkpoint_every=positive("--checkpoint-every", checkpoint_every),
        fit=fit,
        bad_images=bad_images,
        group=group,
        val=val,
        test=test,
        cache=cache,
        disk_cache=disk_cache,
        images=images,
    )
    line = " ".join(["striate", *map(shlex.quote, sys.argv[1:])])
    if in_folds:
        run_folds(data, options, folds, out_, command=line)
        return
    with Display(out_) as display, terminated_as_interrupted():
        try:
            events = fit_events(
                data,
                options,
                command=line,
                reading=display.reading,
                fetching=display.fetching,
            )
            for event in events:
                if not follows:
                    display.show(event)
        except KeyboardInterrupt:
            said = "" if follows else stopped(display.folder or resume)
            raise Interrupted(said) from None
        except ProcessLost as error:
            raise ProcessLost("" if launched_here() else str(error)) from None
        except ReaderGone:
            where = stopped(display.folder or resume)
            raise Interrupted(f"the reader of the output has gone: {where}") from None
    if follows:
        return
    assert display.run is not None
    out_.document(display.run.as_json())
