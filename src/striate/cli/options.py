"""Options that mean the same in every command."""

from __future__ import annotations

from typing import Annotated

import typer

from striate.flow.sizes import parse_image

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


__all__ = ["Cache", "DiskCache", "Image", "Json", "Quiet", "Verbose", "parse_image"]
