"""Images for the tests of the server."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def noise(seed: int, side: int = 8) -> bytes:
    """Noise, gray, as PNG."""
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
