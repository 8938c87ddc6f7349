"""``striate data DATA``: what a data set holds, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from striate.cli.completing import complete_data
from striate.cli.console import talk
from striate.cli.data_shards import bar, write
from striate.cli.data_text import show_description
from striate.cli.options import Image, Json, Quiet, Verbose
from striate.errors import InputError, choices
from striate.records.description import FAULTS

_NAMED = 3
_FAIL_ON = (*FAULTS, "any")


def _complete_fault(incomplete: str) -> list[str]:
    return [name for name in _FAIL_ON if name.startswith(incomplete)]


def command(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A folder with a folder per class, parquet files, an .npz, digits or shapes.",
            autocompletion=complete_data,
        ),
    ],
    *,
    group: Annotated[
        str | None,
        typer.Option(
            "--group", metavar="REGEX", help="Files with the same match belong in one split."
        ),
    ] = None,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Look for exact copies alone, not for what looks alike."),
    ] = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on",
            metavar="FAULT",
            help="Exit 1 where there is one: bad, duplicate, leak, conflict, blank, refused or "
            "any; may be given several times.",
            autocompletion=_complete_fault,
        ),
    ] = None,
    named: Annotated[
        int | None,
        typer.Option(
            "--named",
            metavar="N",
            min=0,
            help="Name so many of each find; by default 3, and 100 with --json or --verbose.",
        ),
    ] = None,
    image: Image = None,
    fit: Annotated[
        Literal["crop", "pad", "stretch"],
        typer.Option(
            "--fit", metavar="HOW", help="How other sizes are brought to it: crop, pad or stretch."
        ),
    ] = "crop",
    val: Annotated[
        float, typer.Option("--val", metavar="SHARE", help="For validation, as fit carves it.")
    ] = 0.1,
    test: Annotated[
        float, typer.Option("--test", metavar="SHARE", help="For the test, as fit carves it.")
    ] = 0.2,
    cache: Annotated[
        str | None,
        typer.Option(
            "--cache",
            metavar="SIZE",
            help="RAM for the encoded images of parquet files; else a quarter of what is free.",
        ),
    ] = None,
    shards: Annotated[
        Path | None,
        typer.Option(
            "--shards", metavar="DIR", help="Write the data there, to be streamed, and stop."
        ),
    ] = None,
    holds: Annotated[
        Literal["bytes", "pixels"] | None,
        typer.Option(
            "--holds",
            metavar="WHAT",
            help="Of shards: bytes as the files came (the default), or decoded pixels.",
        ),
    ] = None,
    shard_size: Annotated[
        str | None,
        typer.Option("--shard-size", metavar="SIZE", help="Of one shard; else 64MiB."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Describe a data set and what is wrong with it, before anything is trained.

    Counts per split and class, sizes, formats, odd and bad files with what is
    done about each, copies within and across splits (to the byte, and by their
    looks), images with two labels, mean and deviation. The splits and figures
    are those that fit would use.

    Examples:

      striate data photos

      striate data photos --fail-on leak --fail-on bad

      striate data scans --group 'patient[0-9]+' --verbose

      striate data cifar10 --json > described.json

      striate data photos --image 224x224 --shards photos-shards
    """
    if shards is not None:
        told = talk(as_json=as_json, quiet=quiet)
        describing = {"--fail-on": fail_on, "--exact": exact, "--named": named is not None}
        for option in (option for option, given in describing.items() if given):
            raise InputError(f"--shards writes and does not describe; leave out {option}")
        written = write(
            told,
            data,
            shards,
            holds=holds,
            shard_size=shard_size,
            image=image,
            fit=fit,
            group=group,
            val=val,
            test=test,
            cache=cache,
        )
        told.document(written)
        return
    for option, given in (("--holds", holds), ("--shard-size", shard_size)):
        if given is not None:
            raise InputError(f"{option} {given} is about shards; add --shards DIR")
    for one in fail_on or ():
        if one not in _FAIL_ON:
            raise InputError(f"--fail-on {one}: no such fault; {choices(one, _FAIL_ON)}")
    told = talk(as_json=as_json, quiet=quiet)
    with told.waiting("loading PyTorch"):
        from striate.flow.describe import NAMED, describe
    shown = NAMED if as_json or verbose else _NAMED
    with bar(told, "reading images") as tell:
        found = describe(
            data,
            image=image,
            fit=fit,
            group=group,
            val=val,
            test=test,
            near=not exact,
            named=shown if named is None else named,
            cache=cache,
            progress=tell,
        )
    told.document(found.as_json())
    show_description(told, found)
    faults = found.faults()
    watched = fail_on or ()
    if any(count and (name in watched or "any" in watched) for name, count in faults.items()):
        raise typer.Exit(1)
