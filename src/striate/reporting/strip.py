"""The network as a strip of blocks: the size of each map, and how far each value sees.

Comes in: blocks and one image.  Goes out: a list of figures in inline SVG, drawn to scale, that
wraps where the page is narrow.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from striate.records import Field, Trace
from striate.reporting.blocks import Block, blocks
from striate.reporting.html import Html, el, join
from striate.reporting.pictures import png_uri
from striate.reporting.wording import counted, percent, short, size

_TILE = 112  # side of the tile in user units


def strip(trace: Trace, pixels: NDArray[np.uint8]) -> Html:
    """The strip.  ``pixels``: what the fields are drawn on, (H, W) or (H, W, 3)."""
    parts = blocks(trace)
    channels, height, width = trace.image
    widest = max([channels, *(part.shape[0] for part in parts)])
    first = el(
        "li.block",
        _slab((channels, height, width), trace, widest),
        _tile(trace, None),
        el("p.name", "image"),
        el("p.size", size((height, width, channels))),
        el("p.sees", "pixels"),
    )
    defined = el(
        "svg.defs",
        el(
            "defs",
            el(
                "image",
                attrs={
                    "id": "example",
                    "href": png_uri(pixels),
                    "width": width,
                    "height": height,
                    "preserveAspectRatio": "none",
                    "class": "crisp" if max(pixels.shape[:2]) <= _TILE else None,
                },
            ),
        ),
        attrs={"width": 0, "height": 0, "aria-hidden": "true"},
    )
    return join([defined, el("ol.strip", first, *(_part(part, trace, widest) for part in parts))])


def _part(part: Block, trace: Trace, widest: int) -> Html:
    channels, *sides = part.shape
    shown = size((*sides, channels)) if len(part.shape) == 3 else counted(channels, "value")
    return el(
        "li.block",
        _slab(part.shape, trace, widest),
        _tile(trace, part),
        el("p.name", part.name),
        el("p.size", shown),
        el("p.sees", _sees(part, trace)),
        el("p.cost", f"{short(part.params)} parameters", el("br"), f"{short(part.macs)} MACs"),
        attrs={"data-block": part.path},
    )


def _sees(part: Block, trace: Trace) -> str:
    """The field in words, per axis where the axes differ."""
    if part.field is None or part.whole:
        return "sees the whole image"
    if part.field.status in ("unknown", "data-dependent"):
        return f"field {part.field.status}"
    tall, wide = part.field.size
    pixels = f"{wide} px" if tall == wide else f"{tall}×{wide} px"
    bound = "at most " if part.field.status == "bound" else ""
    share = _share(part, trace)
    covers = "the whole image" if share == 1 else f"{percent(share, 0)} of the image"
    return f"field {bound}{pixels}: {covers}"


def _share(part: Block, trace: Trace) -> float:
    """How much of the image the middle element sees."""
    _, height, width = trace.image
    x, y, wide, tall = _window(part, trace)
    across = min(width, x + wide) - max(0, x)
    down = min(height, y + tall) - max(0, y)
    return max(0, across) * max(0, down) / (width * height)


def _slab(shape: tuple[int, ...], trace: Trace, widest: int) -> Html:
    """The map as a box seen from the side: side lengths in proportion to √H, √W, depth to log C."""
    largest = max(trace.image[1:])
    channels = shape[0] if len(shape) == 3 else shape[-1]
    tall, wide = shape[1:] if len(shape) == 3 else (1, 1)
    height = max(4.0, 62 * math.sqrt(tall / largest))
    skew = max(2.0, 22 * math.sqrt(wide / largest))
    deep = 5 + 50 * math.log1p(channels) / math.log1p(max(widest, 2))
    left, floor = (_TILE - deep - skew) / 2, 88.0
    top = floor - height
    rise = skew * 0.62
    points = {
        "front": [(left, top), (left + deep, top), (left + deep, floor), (left, floor)],
        "top": [
            (left, top),
            (left + skew, top - rise),
            (left + skew + deep, top - rise),
            (left + deep, top),
        ],
        "side": [
            (left + deep, top),
            (left + deep + skew, top - rise),
            (left + deep + skew, floor - rise),
            (left + deep, floor),
        ],
    }
    faces = [
        el(
            "polygon",
            attrs={"class": face, "points": " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)},
        )
        for face, corners in points.items()
    ]
    return el("svg.slab", *faces, attrs={"viewBox": f"0 0 {_TILE} 92", "aria-hidden": "true"})


def _tile(trace: Trace, part: Block | None) -> Html:
    """The image with the field of the map's middle element over it, to scale."""
    _, height, width = trace.image
    scale = _TILE / max(height, width)
    across, down = width * scale, height * scale
    left, top = (_TILE - across) / 2, (_TILE - down) / 2
    drawn: list[Html] = [
        el(
            "g",
            el("use", attrs={"href": "#example"}),
            attrs={"transform": f"translate({left:.2f} {top:.2f}) scale({scale:.5f})"},
        )
    ]
    label = "the image"
    if part is not None:
        x, y, wide, tall = _window(part, trace)
        label = f"{part.name}: {_sees(part, trace)}"
        drawn.append(
            el(
                "rect.field",
                attrs={
                    "x": f"{left + x * scale:.2f}",
                    "y": f"{top + y * scale:.2f}",
                    "width": f"{wide * scale:.2f}",
                    "height": f"{tall * scale:.2f}",
                },
            )
        )
    return el(
        "svg.view",
        *drawn,
        attrs={"viewBox": f"-6 -6 {_TILE + 12} {_TILE + 12}", "role": "img", "aria-label": label},
    )


def _window(part: Block, trace: Trace) -> tuple[int, int, int, int]:
    """(x, y, width, height) in pixels of what the map's middle element sees."""
    _, height, width = trace.image
    seen: Field | None = part.field
    if seen is None or part.whole or seen.status in ("unknown", "data-dependent"):
        return 0, 0, width, height
    rows, cols = part.shape[1] // 2, part.shape[2] // 2
    return (
        seen.start[1] + cols * seen.stride[1],
        seen.start[0] + rows * seen.stride[0],
        seen.size[1],
        seen.size[0],
    )
