"""Small images in a terminal, two pixels to a character cell, where it has colours for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style

_TOP_HALF = "▀"
_MOST_CELLS = 16


def can_show(console: Console) -> bool:
    """Whether the terminal has the colours a picture needs."""
    colours = console.color_system in ("truecolor", "256", "windows")
    return console.is_terminal and colours and not console.no_color


def row_of_images(
    images: Sequence[NDArray[np.integer]], *, scale: float, columns: int, indent: int = 0
) -> Segments:
    """Images side by side.

    ``images``: (C, H, W) each, divided by ``scale`` to 0…1.  ``columns``: width of the terminal,
    of which ``indent`` on the left are left free.  As many as fit are shown, each at most 16 cells
    wide (a cell of a larger one is the mean of its pixels).
    """
    cells = [_thumbnail(image, scale) for image in images]
    shown: list[NDArray[np.uint8]] = []
    used = indent
    for cell in cells:
        if used + cell.shape[1] > columns:
            break
        shown.append(cell)
        used += cell.shape[1] + 1
    segments: list[Segment] = []
    height = max((cell.shape[0] for cell in shown), default=0)
    for row in range(0, height, 2):
        for number, cell in enumerate(shown):
            segments.append(Segment(" " if number else " " * indent))
            for column in range(cell.shape[1]):
                top, bottom = cell[row, column], cell[row + 1, column]
                style = Style(color=_rgb(top), bgcolor=_rgb(bottom))
                segments.append(Segment(_TOP_HALF, style))
        segments.append(Segment.line())
    return Segments(segments)


def _thumbnail(image: NDArray[np.integer], scale: float) -> NDArray[np.uint8]:
    channels, height, width = image.shape
    grid = np.clip(image / scale * 255.0 + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    grid = np.repeat(grid[:, :, :1], 3, axis=2) if channels != 3 else grid
    side = min(_MOST_CELLS, max(height, width))
    rows = max(2, round(height * side / max(height, width)) // 2 * 2)
    columns = max(1, round(width * side / max(height, width)))
    return np.asarray(Image.fromarray(grid).resize((columns, rows), Image.Resampling.BOX))


def _rgb(pixel: NDArray[np.uint8]) -> str:
    return f"rgb({int(pixel[0])},{int(pixel[1])},{int(pixel[2])})"
