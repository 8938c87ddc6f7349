"""scikit-learn's digits: 1,797 real scans of handwritten digits, 8×8 pixels of 0…16.

The test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998, UCI).
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from striate.data.options import Indices
from striate.data.sources.listing import Decoded, Listing, Part
from striate.data.strings import Strings

SCALE = 16.0
"""The darkest ink: each pixel counts the inked ones of 4×4 in the original scan."""


def list_digits() -> Listing:
    """All digits as one part."""
    from sklearn.datasets import load_digits  # slow to import, and needed here alone

    found = cast("Any", load_digits())
    images: NDArray[np.float64] = found.images
    labels: Indices = found.target.astype(np.int64)
    pixels = np.ascontiguousarray(images[:, None].astype(np.uint8))
    paths = Strings.of(f"{label}/{row:04}" for row, label in enumerate(labels.tolist()))
    content = Decoded(pixels=pixels, scale=SCALE)
    part = Part(labels=labels, paths=paths, content=content)
    return Listing(name="digits", classes=tuple("0123456789"), parts={"train": part})
