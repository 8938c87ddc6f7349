"""``striate conv``: what a convolution does, position by position."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.columns import Columns
from rich.markup import escape
from rich.panel import Panel
from rich.text import Text

from striate.cli.console import Talk, talk
from striate.cli.options import Json, Quiet
from striate.errors import InputError
from striate.flow.conv import ConvResult, conv
from striate.seeing.kernels import kernel_names
from striate.seeing.mechanics import Position, show

_MOST_SUMS = 9
_MOST_SIDE = 12


def _complete(incomplete: str) -> list[str]:
    return [name for name in kernel_names() if name.startswith(incomplete)]


def command(
    image: Annotated[
        Path | None, typer.Argument(help="An image file; without one, the 5×5 example.")
    ] = None,
    *,
    kernel: Annotated[
        str,
        typer.Option(
            "--kernel",
            help=f"{', '.join(kernel_names())}; or the weights: '1 0 -1; 2 0 -2; 1 0 -1'.",
            autocompletion=_complete,
        ),
    ] = "sobel-x",
    stride: Annotated[
        int, typer.Option("--stride", help="Pixels from one position to the next.")
    ] = 1,
    padding: Annotated[int, typer.Option("--padding", help="Zeros around the border.")] = 0,
    dilation: Annotated[
        int, typer.Option("--dilation", help="Pixels from one weight to the next.")
    ] = 1,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="R,C", help="Only the sum at this output position."),
    ] = None,
    true_convolution: Annotated[
        bool,
        typer.Option(
            "--true-convolution", help="Flip the kernel first (cross-correlation if not)."
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PNG", help="Where the feature map is written.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """What a convolution does: the kernel slides, multiplies and sums.

    Examples:

      striate conv                                  the 5×5 example with sobel-x, sum by sum

      striate conv --kernel laplacian --padding 1 --at 0,2

      striate conv photo.jpg --kernel sobel-y       writes photo.sobel-y.png
    """
    talker = talk(as_json=as_json, quiet=quiet)
    place = None if at is None else _place(at)
    result = conv(
        image,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        true_convolution=true_convolution,
        out=out,
    )
    positions = _positions(result, place)
    talker.document(
        {
            "striate": 1,
            **result.mechanics.as_json(),
            "positions": [position.as_json() for position in positions],
            "picture": None if result.picture is None else str(result.picture),
        }
    )
    _show(talker, result, positions)


def _place(text: str) -> tuple[int, int]:
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() for part in parts):
        raise InputError(f"--at {text}: not a position; write row,column, for example 0,0")
    return int(parts[0]), int(parts[1])


def _positions(result: ConvResult, place: tuple[int, int] | None) -> list[Position]:
    mechanics = result.mechanics
    if place is not None:
        return [mechanics.at(*place)]
    width = mechanics.output.shape[1]
    most = mechanics.positions if mechanics.positions <= _MOST_SUMS else 1
    return [mechanics.at(number // width, number % width) for number in range(most)]


def _show(talker: Talk, result: ConvResult, positions: list[Position]) -> None:
    mechanics = result.mechanics
    channels, height, width = mechanics.image.shape
    kind = "true convolution" if mechanics.true_convolution else "cross-correlation"
    talker.tell(
        f"[key]{escape(result.kernel.name)}[/] [dim]({escape(result.kernel.says)})[/]", hang=2
    )
    talker.tell(
        f"{kind} · stride {mechanics.stride[0]} · padding {mechanics.padding[0]} · "
        f"dilation {mechanics.dilation[0]} · {channels}×{height}×{width} → "
        f"{mechanics.output.shape[0]}×{mechanics.output.shape[1]}",
        hang=2,
    )
    panels = [
        Panel(_grid(values), title=title, expand=False, border_style="dim")
        for title, values in (
            ("input", mechanics.image[0] if channels == 1 else None),
            ("kernel", mechanics.kernel[0]),
            ("output", mechanics.output),
        )
        if values is not None and max(values.shape) <= _MOST_SIDE
    ]
    talker.say(Columns(panels))
    for position in positions:
        talker.tell(
            f"[mark]position ({position.row}, {position.col}):[/] {escape(position.text)}", hang=2
        )
    hidden = mechanics.positions - len(positions)
    if hidden and result.mechanics.positions > _MOST_SUMS and len(positions) == 1:
        talker.tell(f"[dim]… and {hidden:,} more positions (--at R,C shows any one)[/]")
    if result.picture is not None and result.grey is not None:
        talker.tell(f"[key]{escape(str(result.picture))}[/]: {result.grey.sentence}", hang=2)


def _grid(values: NDArray[np.int64 | np.float64]) -> Text:
    cells = [[show(value) for value in row] for row in values.tolist()]
    width = max(len(cell) for row in cells for cell in row)
    return Text("\n".join(" ".join(cell.rjust(width) for cell in row) for row in cells))
