"""The kernels that have names, and any other one written out.

Each is given as cross-correlation slides it, which is what ``nn.Conv2d`` computes; a true
convolution turns it by 180° first.

Comes in: a name or rows of numbers.  Goes out: a ``Kernel``.
May import: numpy, ``striate.errors``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError, choices


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """``weights``: (kh, kw), float64.  ``says``: what in an image it answers to."""

    name: str
    weights: NDArray[np.float64]
    says: str


_NAMED: dict[str, tuple[list[list[float]], float, str]] = {
    "sobel-x": (
        [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
        1,
        "vertical edges: positive where the image brightens to the right",
    ),
    "sobel-y": (
        [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
        1,
        "horizontal edges: positive where the image brightens downwards",
    ),
    "laplacian": (
        [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
        1,
        "points and edges of any direction: the second derivative",
    ),
    "gaussian": ([[1, 2, 1], [2, 4, 2], [1, 2, 1]], 16, "a blur whose weights sum to one"),
    "sharpen": (
        [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
        1,
        "the image minus its Laplacian: edges stand out",
    ),
    "identity": ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], 1, "the image itself"),
    "emboss": (
        [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
        1,
        "relief lit from the lower right, on top of the image",
    ),
}


def kernel_names() -> tuple[str, ...]:
    """The names ``named_kernel`` knows."""
    return tuple(_NAMED)


def named_kernel(name: str) -> Kernel:
    """The kernel of this name; InputError names the choices.

    >>> named_kernel("sobel-x").weights.astype(int).tolist()
    [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    """
    if name not in _NAMED:
        raise InputError(f"kernel {name!r} is unknown: {choices(name, _NAMED)}")
    rows, divisor, says = _NAMED[name]
    return Kernel(name=name, weights=np.array(rows, np.float64) / divisor, says=says)


def read_kernel(text: str) -> Kernel:
    """A kernel by name, or written out: rows set apart by ``;``, numbers by spaces or commas.

    >>> read_kernel("1 0 -1; 2 0 -2; 1 0 -1").weights.shape
    (3, 3)

    InputError for an unknown name, a number that is none, and rows of unequal length.
    """
    if text in _NAMED or not any(character.isdigit() for character in text):
        return named_kernel(text)
    rows: list[list[float]] = []
    for number, line in enumerate(text.split(";"), 1):
        try:
            rows.append([float(word) for word in line.replace(",", " ").split()])
        except ValueError:
            raise InputError(
                f"kernel {text!r}: row {number} ({line.strip()!r}) is not numbers; write a name "
                f"({', '.join(_NAMED)}) or rows such as '1 0 -1; 2 0 -2; 1 0 -1'"
            ) from None
    lengths = {len(row) for row in rows}
    if len(lengths) != 1 or 0 in lengths:
        raise InputError(
            f"kernel {text!r}: its rows have {', '.join(str(len(row)) for row in rows)} numbers; "
            "give every row equally many"
        )
    weights = np.array(rows, np.float64)
    if not np.isfinite(weights).all():
        raise InputError(f"kernel {text!r} holds a number that is not finite; use finite weights")
    return Kernel(name=text, weights=weights, says="as given")
