"""Bytes that one operation reads from memory and writes into it.

Each tensor counts once, as if a cache held all of one operation and nothing of any other: the
least that has to be moved, and what arithmetic intensity is usually stated against (Williams,
Waterman and Patterson 2009, "Roofline", section 3).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from striate.tracing.values import Value

_PICKS = frozenset(
    ("index", "index_select", "gather", "embedding", "take", "take_along_dim", "masked_select")
)
"""Operations that read only as much of their first tensor as they put out."""

_OVERWRITES = frozenset(("copy_", "fill_", "zero_", "copy", "fill", "normal_", "uniform_"))
"""Operations that write their first tensor without having read it."""


def moved(
    name: str,
    tensors: Sequence[torch.Tensor],
    sources: Sequence[Value],
    outs: Sequence[torch.Tensor],
) -> tuple[int, int]:
    """Bytes read and bytes written by an operation that is no view."""
    read = 0
    seen: set[int] = set()
    written = sum([out.nbytes for out in outs])
    for i, (tensor, source) in enumerate(zip(tensors, sources, strict=True)):
        if id(tensor) in seen or (i == 0 and name in _OVERWRITES):
            continue
        seen.add(id(tensor))
        size = tensor.nbytes
        if source.block is not None and source.block.size < size:  # one row, seen many times over
            size = source.block.size
        if i == 0 and name in _PICKS and written < size:
            size = written
        read += size
    return read, written
