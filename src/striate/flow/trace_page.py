"""``striate trace --format html``: from a Trace, and a picture if there is one, to a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from striate.errors import OutputError
from striate.records import Trace
from striate.reporting import render_trace
from striate.reporting.trace_page import MARK

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARPEST_PX = 640
"""A picture's longer side in the page, in pixels; larger ones are reduced."""


def trace_page(trace: Trace, picture: Path | None) -> str:
    """The page.  ``picture``: what receptive fields are drawn on, cut to the image's shape.

    ImageError where it cannot be read.
    """
    return render_trace(trace, None if picture is None else _drawn(picture, trace.image))


def page_name(trace: Trace) -> Path:
    """Where the page goes if nobody says: ``NAME-trace.html``.

    OutputError if something else has that name; an earlier page of ours is replaced.
    """
    name = re.sub(r"[^\w.+-]+", "-", trace.name).strip("-.") or "network"
    path = Path(f"{name}-trace.html")
    if path.exists() and not _is_ours(path):
        raise OutputError(f"{path}: exists already; name another file with --out")
    return path


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return MARK.encode() in file.read(4096)
    except OSError:
        return False


def _drawn(picture: Path, image: tuple[int, int, int]) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3): the middle of the picture in the image's shape, as sharp as it is."""
    from striate.data import fit_image, read_original  # loads torch

    pixels = read_original(picture)
    if pixels.dtype == np.uint16:
        pixels = (pixels >> np.uint16(8)).astype(np.uint8)
    _, tall, wide = pixels.shape
    _, height, width = image
    factor = min(tall / height, wide / width, SHARPEST_PX / max(height, width))
    target = (max(1, round(height * factor)), max(1, round(width * factor)))
    if factor < 1:
        target = (height, width)
    fitted = np.asarray(fit_image(pixels, target, "crop"), dtype=np.uint8)
    return fitted[0] if image[0] == 1 or len(fitted) == 1 else np.moveaxis(fitted, 0, -1)
