"""The figures of the walk, as inline SVG: what is computed on a page is drawn here.

Lines and letters have the colour of the text around them, so that light and dark both serve.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from PIL import Image

_STROKES = ("#3b7ddd", "#d9822b", "#3a9a5c", "#b04a8f")


def tiles(*pictures: tuple[str, Any], side: int = 120, signed: bool = False) -> str:
    """Pictures side by side, each (caption, (H, W) or (3, H, W) values), on one scale each.

    ``signed``: middle grey is 0; else black is the least and white the greatest value.
    """
    gap, words = 16, 20
    parts: list[str] = []
    for at, (caption, values) in enumerate(pictures):
        x = at * (side + gap)
        parts.append(
            f'<image x="{x}" y="0" width="{side}" height="{side}" '
            f'style="image-rendering:pixelated" href="{_png(values, signed=signed)}"/>'
            + _text(x + side / 2, side + 15, caption, anchor="middle")
        )
    return _svg(len(pictures) * (side + gap) - gap, side + words, parts, pictures[0][0])


def bars(values: Mapping[str, float], *, form: str = ",.3g", unit: str = "") -> str:
    """A bar for each value, to the right; to the left of the line where it is below 0."""
    left, wide, row = 190, 330, 22
    most = max([abs(value) for value in values.values()] or [1.0]) or 1.0
    least = min([0.0, *values.values()])
    zero = left + wide * (-least / (most - least)) * (1 if least < 0 else 0)
    per = wide / (most - least)
    parts: list[str] = []
    for at, (name, value) in enumerate(values.items()):
        y = at * row
        start, width = min(zero, zero + value * per), max(1.0, abs(value) * per)
        parts.append(_text(left - 8, y + 15, name, anchor="end"))
        parts.append(
            f'<rect x="{start:.1f}" y="{y + 3}" width="{width:.1f}" height="{row - 7}" '
            f'fill="{_STROKES[0] if value >= 0 else _STROKES[1]}"/>'
        )
        parts.append(_text(left + wide + 10, y + 15, f"{value:{form}}{unit}", anchor="start"))
    return _svg(left + wide + 110, row * len(values), parts, "bars")


def curves(
    lines: Mapping[str, Sequence[tuple[float, float]]], *, across: str, up: str, log: bool = False
) -> str:
    """A line for each name, of (x, y) points; ``log``: both axes are logarithmic."""
    left, top, wide, tall = 64, 12, 420, 200
    scale: Callable[[float], float] = math.log10 if log else float
    points = [point for line in lines.values() for point in line]
    xs, ys = [scale(x) for x, _ in points], [scale(y) for _, y in points]
    x0, x1 = min(xs), max(xs)
    y0, y1 = (min(ys), max(ys)) if log else (min(0.0, *ys), max(ys))

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            left + wide * (scale(x) - x0) / ((x1 - x0) or 1),
            top + tall - tall * (scale(y) - y0) / ((y1 - y0) or 1),
        )

    parts = [
        f'<path d="M{left} {top} V{top + tall} H{left + wide}" fill="none" stroke="currentColor"/>'
    ]
    for value in _ticks(x0, x1, log=log):
        x, _ = place(value, points[0][1])
        parts.append(_text(x, top + tall + 16, _short(value), anchor="middle"))
    for value in _ticks(y0, y1, log=log):
        _, y = place(points[0][0], value)
        parts.append(
            f'<path d="M{left} {y:.1f} H{left + wide}" stroke="currentColor" opacity="0.15"/>'
        )
        parts.append(_text(left - 8, y + 4, _short(value), anchor="end"))
    parts.append(_text(left + wide / 2, top + tall + 34, across, anchor="middle"))
    parts.append(_text(left, top - 2, up, anchor="start"))
    for at, (name, line) in enumerate(lines.items()):
        colour = _STROKES[at % len(_STROKES)]
        drawn = [place(x, y) for x, y in line]
        way = " L".join(f"{x:.1f} {y:.1f}" for x, y in drawn)
        parts.append(f'<path d="M{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in drawn]
        parts.append(
            f'<rect x="{left + wide + 16}" y="{top + 20 * at}" width="14" height="4" '
            f'fill="{colour}"/>' + _text(left + wide + 36, top + 20 * at + 7, name, anchor="start")
        )
    return _svg(left + wide + 190, top + tall + 42, parts, f"{up} by {across}")


def nested(sizes: Mapping[str, int], image: int) -> str:
    """Squares about one middle, each as wide as its number of pixels, on an image of ``image``."""
    side = 220
    most = max(image, *sizes.values())
    parts = [_square(side * image / most, side, 'fill="currentColor" opacity="0.12"')]
    for at, size in enumerate(sizes.values()):
        colour = _STROKES[at % len(_STROKES)]
        parts.append(_square(side * size / most, side, f'fill="none" stroke="{colour}"'))
    for at, (name, size) in enumerate({"image": image, **sizes}.items()):
        colour = "currentColor" if at == 0 else _STROKES[(at - 1) % len(_STROKES)]
        parts.append(
            f'<rect x="{side + 20}" y="{14 + 20 * at}" width="14" height="4" fill="{colour}"/>'
            + _text(side + 42, 21 + 20 * at, f"{name}: {size} px", anchor="start")
        )
    return _svg(side + 300, side, parts, "fields")


def _square(size: float, side: int, style: str) -> str:
    at = (side - size) / 2
    return f'<rect x="{at:.1f}" y="{at:.1f}" width="{size:.1f}" height="{size:.1f}" {style}/>'


def _ticks(low: float, high: float, *, log: bool) -> list[float]:
    if log:
        return [10.0**power for power in range(math.ceil(low), math.floor(high) + 1)]
    step = 10 ** math.floor(math.log10((high - low) or 1))
    while (high - low) / step > 6:
        step *= 2
    first = math.ceil(low / step)
    return [step * at for at in range(first, math.floor(high / step + 1e-9) + 1)]


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _png(values: Any, *, signed: bool) -> str:
    """Values as a grey or coloured PNG in a data URI."""
    plane = np.asarray(values, np.float64)
    plane = np.moveaxis(plane, 0, -1) if plane.ndim == 3 else plane
    if signed:
        most = np.abs(plane).max() or 1.0
        pixels = 127.5 + 127.5 * plane / most
    else:
        pixels = 255 * (plane - plane.min()) / (np.ptp(plane) or 1.0)
    buffer = io.BytesIO()
    Image.fromarray(pixels.round().astype(np.uint8)).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _text(x: float, y: float, words: str, *, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _svg(width: float, height: float, parts: Sequence[str], title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="max-width:{width:.0f}px;width:100%" font-size="12" fill="currentColor" '
        f'role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


DRAWN = {"tiles": tiles, "bars": bars, "curves": curves, "nested": nested}
