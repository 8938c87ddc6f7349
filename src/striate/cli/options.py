"""Options that mean the same in every command."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from striate.errors import InputError
from striate.flow.sizes import parse_image

_FIT = "Training"

Json = Annotated[
    bool, typer.Option("--json", help="One JSON document on stdout; text for people on stderr.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only the result and the errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]
Image = Annotated[
    str | None,
    typer.Option("--image", metavar="HxW", help="Image size: 3x224x224 or 224x224."),
]

Cache = Annotated[
    str | None,
    typer.Option(
        "--cache",
        metavar="SIZE",
        help="RAM for decoded pixels; else a quarter of what is free.",
        rich_help_panel="Data",
    ),
]
DiskCache = Annotated[
    str | None,
    typer.Option(
        "--disk-cache",
        metavar="SIZE",
        help="Disk for what exceeds it; else half of what is free.",
        rich_help_panel="Data",
    ),
]
ValShare = Annotated[
    float,
    typer.Option(
        "--val",
        metavar="SHARE",
        help="For validation, where no such split came.",
        rich_help_panel="Data",
    ),
]
TestShare = Annotated[
    float,
    typer.Option(
        "--test",
        metavar="SHARE",
        help="For the test, where no such split came.",
        rich_help_panel="Data",
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", metavar="N", help="Passes over the images.", rich_help_panel=_FIT),
]
Rate = Annotated[
    float | None,
    typer.Option("--lr", metavar="RATE", help="Highest learning rate.", rich_help_panel=_FIT),
]
Flip = Annotated[
    bool | None,
    typer.Option(
        "--flip/--no-flip",
        help="Mirror images, as is done with colour ones.",
        rich_help_panel=_FIT,
    ),
]


__all__ = [
    "Cache", "DiskCache", "Epochs", "Flip", "Image", "Json", "Quiet", "Rate", "TestShare",
    "ValShare", "Verbose", "at_least", "batch_option", "parse_image", "positive",
]  # fmt: skip


def batch_option(text: str | None) -> int | Literal["auto"] | None:
    """What ``--batch`` says; InputError for what is neither a number from 1 nor ``auto``."""
    if text is None or text == "auto":
        return text
    if not text.isascii() or not text.removeprefix("-").isdigit():
        raise InputError(f"--batch {text}: must be a number of images, or auto")
    return at_least(1, "--batch", int(text))


def at_least(least: int, name: str, value: int | None) -> int | None:
    """``value``, if it is at least ``least``; else InputError that names the option."""
    if value is not None and value < least:
        raise InputError(f"{name} {value}: must be at least {least}")
    return value


def positive(name: str, value: float | None) -> float | None:
    """``value``, if it is a number above 0; else InputError that names the option."""
    if value is not None and not 0 < value < float("inf"):
        raise InputError(f"{name} {value:g}: must be a positive number")
    return value
