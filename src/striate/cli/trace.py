"""``striate trace TARGET``: the layer table."""

from __future__ import annotations

from typing import Annotated

import typer

from striate.cli.completing import complete_target
from striate.cli.console import talk
from striate.cli.layers import layer_table, stopped, totals_lines, unknown
from striate.cli.options import Image, Json, Quiet
from striate.errors import TraceError
from striate.flow.trace import trace_target


def command(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="A zoo name, a TOML file, file.py:Net, package.module:Net, timm/NAME or "
            "torchvision/NAME.",
            autocompletion=complete_target,
        ),
    ],
    *,
    image: Image = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every operation, pointwise ones and views too.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """What a network does to an image, layer by layer, without running it.

    Examples:

      striate trace resnet50

      striate trace my_net.py:Net --image 3x64x64

      striate trace design.toml --json | jq .totals
    """
    out = talk(as_json=as_json, quiet=quiet)
    traced = trace_target(target, image)
    out.document(traced.as_json())
    out.say(layer_table(traced, width=out.columns, every=every))
    for line in (*totals_lines(traced, every=every), *unknown(traced)):
        out.tell(line, hang=2)
    if traced.failure is not None:
        raise TraceError(f"{target}: {stopped(traced.failure)}")
