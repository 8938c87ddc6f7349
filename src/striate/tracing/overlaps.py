"""Writing into a tensor changes every other tensor that shares its storage."""

from __future__ import annotations

import numpy as np
import torch

from striate.tracing.fields import joins, moves
from striate.tracing.fields.lines import Offsets
from striate.tracing.fields.reach import Rank, Reach, worsened
from striate.tracing.fields.splitting import reshape
from striate.tracing.fields.unions import union
from striate.tracing.fields.windows import pad, remap

Tensor = torch.Tensor
Part = tuple[int, int, int]
"""(first index, step, how many) along one dimension."""


def after_write(
    written: Tensor, seen: Reach | None, other: Tensor, old: Reach | None
) -> Reach | None:
    """What ``other`` sees once ``written``, which sees ``seen``, has changed their storage.

    ``old``: what ``other`` saw before.
    """
    if seen is None and old is None:
        return None
    if written.numel() == other.numel() and written.is_contiguous() and other.is_contiguous():
        return seen and reshape(seen, tuple(other.shape))
    inside = part_of(written, other)
    if inside is not None:
        return _with_part(other, old, seen, inside)
    outside = part_of(other, written)
    if outside is not None:
        for d, (first, step, n) in enumerate(outside):
            seen = seen and moves.take(seen, d, first, step, n)
        return seen
    shape = tuple(other.shape)
    parts = [joins.anywhere(reach, shape) for reach in (seen, old) if reach is not None]
    return parts[0] if len(parts) == 1 else union(parts[0], parts[1])


def part_of(part: Tensor, whole: Tensor) -> list[Part] | None:
    """Which indices of ``whole`` a view of it is, dimension by dimension, or None if it is not.

    A dimension that was selected away counts as a part of one index.
    """
    if part.dim() > whole.dim():
        return None
    sizes, strides = list(part.shape), list(part.stride())
    rest = part.storage_offset() - whole.storage_offset()
    if rest < 0:
        return None
    starts = [0] * whole.dim()
    for d in sorted(range(whole.dim()), key=whole.stride, reverse=True):
        if whole.stride(d):
            starts[d], rest = divmod(rest, whole.stride(d))
    if rest:
        return None
    found: list[Part] = []
    missing = whole.dim() - part.dim()
    for d in range(whole.dim()):
        stride = whole.stride(d)
        fits = bool(sizes) and bool(stride) and (sizes[0] == 1 or strides[0] % stride == 0)
        step = strides[0] // stride if fits and sizes[0] > 1 else 1
        n = sizes[0] if sizes else 0
        if (
            fits
            and starts[d] + step * (n - 1) < whole.shape[d]
            and not (
                missing
                and n != whole.shape[d]
                and len(sizes) < whole.dim() - d
                and n > whole.shape[d]
            )
        ):
            found.append((starts[d], step, n))
            sizes.pop(0)
            strides.pop(0)
            continue
        if not missing:
            return None
        missing -= 1
        found.append((starts[d], 1, 1))
    return found if not sizes else None


def _with_part(
    other: Tensor, old: Reach | None, seen: Reach | None, part: list[Part]
) -> Reach | None:
    """``other`` with one part of it written over."""
    shape = tuple(other.shape)
    sizes = tuple(n for _, _, n in part)
    cut = [d for d, (_, _, n) in enumerate(part) if n != shape[d]]
    if seen is not None and len(seen.shape) != len(shape):
        seen = reshape(seen, sizes)
    if not cut:
        return seen
    if len(cut) == 1 and part[cut[0]][1] == 1:
        d = cut[0]
        first, _, n = part[d]
        before = old and moves.take(old, d, 0, 1, first) if first else None
        last = shape[d] - first - n
        after = old and moves.take(old, d, first + n, 1, last) if last else None
        parts = [(before, first), (seen, n), (after, last)]
        known = [(reach, size) for reach, size in parts if size]
        if all(reach is None for reach, _ in known):
            return None
        return joins.concatenate(known, d, shape)
    if seen is None:
        return old
    lifted = _lifted(seen, part, shape)
    return lifted if old is None else worsened(union(lifted, old), Rank.BOUND)


def _lifted(seen: Reach, part: list[Part], shape: tuple[int, ...]) -> Reach:
    """A part's Reach at its place in the whole, where all else sees nothing."""
    for d, (first, step, n) in enumerate(part):
        if n == shape[d]:
            continue
        if step == 1:
            seen = pad(seen, {d: (first, shape[d] - first - n)})
            continue
        places: Offsets = np.arange(shape[d], dtype=np.int64) - first
        none = (places % step != 0) | (places < 0) | (places >= step * n)
        index = np.clip(places // step, 0, n - 1)
        seen = seen.each(lambda term, d=d, i=index, no=none: remap(term, d, i, i, none=no))
    return seen
