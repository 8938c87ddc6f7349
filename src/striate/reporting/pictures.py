"""Arrays as PNG data URIs, by mappings that are stated beside the picture.

Comes in: arrays.  Goes out: ``<img>`` elements.  Small pictures keep their native grid and are
magnified by the browser without smoothing.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from striate.reporting.html import Html, el

LARGEST_PX = 144  # a longer side is reduced before it is embedded


@dataclass(frozen=True, kw_only=True)
class Photos:
    """How images of the data are drawn.

    ``pixel_range``: the values that are drawn black and white.  ``embed``: whether the page may
    carry them, and what is drawn from a single one; they may be private.
    """

    pixel_range: tuple[float, float] = (0.0, 255.0)
    embed: bool = True


def png_uri(pixels: NDArray[np.uint8]) -> str:
    """(H, W) or (H, W, 3) uint8 as ``data:image/png;base64,…``."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def picture(pixels: NDArray[np.uint8], alt: str, *, width: int, title: str | None = None) -> Html:
    """An ``<img>`` ``width`` CSS pixels wide, its height in proportion."""
    height, across = pixels.shape[:2]
    crisp = ".crisp" if across < width else ""
    return el(
        f"img{crisp}",
        attrs={
            "src": png_uri(pixels),
            "alt": alt,
            "title": title,
            "width": width,
            "height": max(1, round(width * height / across)),
        },
    )


def of_data(
    pixels: NDArray[np.uint8], photos: Photos, alt: str, *, width: int, title: str | None = None
) -> Html:
    """``picture`` of an image of the data or of what is made from one; or its empty frame."""
    if photos.embed:
        return picture(pixels, alt, width=width, title=title)
    height, across = pixels.shape[:2]
    tall = max(1, round(width * height / across))
    return el(
        "svg.absent",
        el("rect", attrs={"width": width, "height": tall}),
        attrs={
            "viewBox": f"0 0 {width} {tall}",
            "width": width,
            "height": tall,
            "role": "img",
            "aria-label": f"{alt} (the image is not embedded)",
        },
    )


def photo(
    pixels: NDArray[Any], pixel_range: tuple[float, float], *, largest: int = LARGEST_PX
) -> NDArray[np.uint8]:
    """(C, H, W) pixels as (H, W) or (H, W, 3) uint8; ``pixel_range`` maps to black and white.

    Three channels are colour; of any other number the first is drawn grey.  Values outside the
    range are drawn black or white.  Images with a side above ``largest`` are reduced.
    """
    low, high = pixel_range
    planes = pixels[:3] if len(pixels) == 3 else pixels[:1]
    share = (planes.astype(np.float64) - low) / ((high - low) or 1.0)
    levels = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    drawn = levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, -1)
    return reduced(drawn, largest)


def reduced(drawn: NDArray[np.uint8], largest: int) -> NDArray[np.uint8]:
    """The same picture with no side above ``largest``; smaller ones as they are."""
    longest = max(drawn.shape[:2])
    if longest <= largest:
        return np.ascontiguousarray(drawn)
    height, width = (max(1, round(side * largest / longest)) for side in drawn.shape[:2])
    return np.asarray(Image.fromarray(drawn).resize((width, height), Image.Resampling.LANCZOS))


def levels(values: NDArray[Any], most: float, *, signed: bool) -> NDArray[np.uint8]:
    """Raw values as grey: 0 is black, or middle grey (128) where ``signed``; ``most`` is white."""
    share = np.asarray(values, np.float64) / (most or 1.0)
    if signed:
        return (np.floor(np.clip(share, -1, 1) * 127 + 0.5) + 128).astype(np.uint8)
    return np.floor(np.clip(share, 0, 1) * 255 + 0.5).astype(np.uint8)
