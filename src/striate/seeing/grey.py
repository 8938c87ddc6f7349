"""A map as grey pixels, by a mapping that is stated and loses no more than rounding.

Comes in: a map of real numbers.  Goes out: ``Grey``.  May import: numpy, ``striate.errors``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Grey:
    """``pixels`` uint8, same shape as the map; value ≈ (pixel − ``zero``) · ``scale``.

    The error is at most ``scale`` / 2 anywhere: the largest magnitude lies on the last level (if
    it is above 1e-305), so nothing is clipped.
    """

    pixels: NDArray[np.uint8]
    scale: float
    zero: int

    @property
    def sentence(self) -> str:
        """The mapping in words, with its numbers."""
        if self.zero:
            return (
                f"grey {self.zero} is 0, one grey level is {self.scale:.4g}: "
                f"from {(1 - self.zero) * self.scale:.4g} (black) "
                f"to {(255 - self.zero) * self.scale:.4g} (white)"
            )
        return f"black is 0, one grey level is {self.scale:.4g}: white is {255 * self.scale:.4g}"


def to_grey(values: NDArray[Any]) -> Grey:
    """Map numbers to grey, zero fixed: black for maps without negatives, else middle grey (128).

    A signed map uses levels 1…255, symmetric around 128, so that equal magnitudes look equally
    far from the middle.  InputError for NaN or infinity, which have no grey.

    >>> to_grey(np.array([-2.0, 0.0, 1.0])).pixels.tolist()
    [1, 128, 192]
    """
    numbers = np.asarray(values, np.float64)
    if not np.isfinite(numbers).all():
        raise InputError("the map holds NaN or infinity, which have no grey; look at its input")
    most = float(np.abs(numbers).max(initial=0.0))
    signed = bool((numbers < 0).any())
    zero, levels = (128, 127) if signed else (0, 255)
    # Below the smallest normal number a scale is too coarse to divide by: such maps are all zero.
    scale = max(most / levels, np.finfo(np.float64).tiny) if most > 0 else 1.0
    pixels = np.floor(numbers / scale + 0.5) + zero
    return Grey(pixels=pixels.astype(np.uint8), scale=scale, zero=zero)
