"""Looking at convolution, and inside trained networks: one way of looking per file.

Comes in: an image and a kernel (``convolve``), or a module, images, their preprocessing and an
Evaluation (``look``).
Goes out: ``Mechanics``; Evidence records, each with the measurements that say whether its picture
may be believed.  Nothing here draws.
May import: runs, building, tracing, data, arch, records, errors, keyed, torch; ways of looking
never import each other.  ``convolve`` and the kernels load no torch, so ``look`` is loaded late.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from striate.seeing.grey import Grey, to_grey
from striate.seeing.kernels import Kernel, kernel_names, named_kernel, read_kernel
from striate.seeing.mechanics import Mechanics, Position, convolve, example_image

if TYPE_CHECKING:
    from striate.seeing.looking import LookOptions as LookOptions
    from striate.seeing.looking import look as look

__all__ = [
    "Grey",
    "Kernel",
    "LookOptions",
    "Mechanics",
    "Position",
    "convolve",
    "example_image",
    "kernel_names",
    "look",
    "named_kernel",
    "read_kernel",
    "to_grey",
]


def __getattr__(name: str) -> object:
    if name not in ("look", "LookOptions"):
        raise AttributeError(f"module 'striate.seeing' has no attribute {name!r}")
    return getattr(import_module("striate.seeing.looking"), name)
