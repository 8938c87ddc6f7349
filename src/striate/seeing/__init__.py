"""Looking at convolution, and inside trained networks: one way of looking per file.

Comes in: an image and a kernel (``convolve``), or a module, images, their preprocessing and an
Evaluation (``look``), or any module that returns logits and its images as it takes them
(``logit_ledger``, ``path_spectrum`` and all else that is measured along a network's depth).
Goes out: ``Mechanics``; ``Ledger``, ``PathSpectrum`` and the records of ``records.stream``;
Evidence records, each with the measurements that say whether its picture may be believed.  Nothing
here draws.
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
    from striate.seeing.cka import similarity as similarity
    from striate.seeing.ledger import logit_ledger as logit_ledger
    from striate.seeing.lens import logit_lens as logit_lens
    from striate.seeing.lesions import block_lesions as block_lesions
    from striate.seeing.lesions_order import reordering as reordering
    from striate.seeing.looking import LookOptions as LookOptions
    from striate.seeing.looking import look as look
    from striate.seeing.paths import path_counts as path_counts
    from striate.seeing.paths import path_spectrum as path_spectrum
    from striate.seeing.probes import linear_probes as linear_probes
    from striate.seeing.saturation import layer_saturation as layer_saturation
    from striate.seeing.stream import stream_strip as stream_strip
    from striate.seeing.stream_shattering import shattering as shattering

__all__ = [
    "Grey",
    "Kernel",
    "LookOptions",
    "Mechanics",
    "Position",
    "block_lesions",
    "convolve",
    "example_image",
    "kernel_names",
    "layer_saturation",
    "linear_probes",
    "logit_ledger",
    "logit_lens",
    "look",
    "named_kernel",
    "path_counts",
    "path_spectrum",
    "read_kernel",
    "reordering",
    "shattering",
    "similarity",
    "stream_strip",
    "to_grey",
]

_LATE = {
    "LookOptions": "looking",
    "block_lesions": "lesions",
    "layer_saturation": "saturation",
    "linear_probes": "probes",
    "logit_ledger": "ledger",
    "logit_lens": "lens",
    "look": "looking",
    "path_counts": "paths",
    "path_spectrum": "paths",
    "reordering": "lesions_order",
    "shattering": "stream_shattering",
    "similarity": "cka",
    "stream_strip": "stream",
}
"""What needs torch, by the file that holds it."""


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module 'striate.seeing' has no attribute {name!r}")
    return getattr(import_module(f"striate.seeing.{_LATE[name]}"), name)
