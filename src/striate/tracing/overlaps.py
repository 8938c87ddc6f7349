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
    starts = _starts(int(part.storage_offset()) - int(whole.storage_offset()), whole.stride())
    if starts is None:
        return None
    left = list(zip(part.shape, part.stride(), strict=True))
    found: list[Part] = []
    for d, start in enumerate(starts):
        if left and (one := _along(left[0], start, whole.stride(d), whole.shape[d])) is not None:
            found.append(one)
            left.pop(0)
        else:
            found.append((start, 1, 1))
    return None if left else found


def _starts(offset: int, strides: tuple[int, ...]) -> list[int] | None:
    """The index in every dimension of the element that lies ``offset`` after the first."""
    starts = [0] * len(strides)
    for d in sorted(range(len(strides)), key=strides.__getitem__, reverse=True):
        if strides[d] and offset > 0:
            starts[d], offset = divmod(offset, strides[d])
    return starts if offset == 0 else None


def _along(own: tuple[int, int], start: int, stride: int, size: int) -> Part | None:
    """A view's (size, stride) as a part of a dimension, if it can be one."""
    n, apart = own
    if not stride or (n > 1 and apart % stride):
        return None
    step = apart // stride if n > 1 else 1
    return (start, step, n) if start + step * (n - 1) < size else None


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
