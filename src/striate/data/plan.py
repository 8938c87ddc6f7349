"""Which samples meet in which batch."""

from __future__ import annotations

import numpy as np

from striate.data.options import Indices
from striate.data.split import Split
from striate.errors import DataError
from striate.keyed import order


def epoch_plan(split: Split, *, seed: int, epoch: int, batch_size: int) -> list[Indices]:
    """One epoch's batches, as arrays of indices into ``split``; every sample comes once.

    ceil(N / batch_size) batches whose sizes differ by at most one, the larger ones first.  The
    order is a pure function of (seed, epoch, the set of ids).
    """
    _check(split, batch_size)
    sequence = order(seed, "order", split.ids, epoch)
    return np.array_split(sequence, -(-len(split) // batch_size))


def whole_plan(split: Split, *, batch_size: int) -> list[Indices]:
    """The split in its own order, in batches of even size: for evaluation."""
    _check(split, batch_size)
    return np.array_split(np.arange(len(split)), -(-len(split) // batch_size))


def _check(split: Split, batch_size: int) -> None:
    if batch_size < 1:
        raise DataError(f"batch size {batch_size} cannot be; use 1 or more")
    if not len(split):
        raise DataError(f"the {split.name} split has no images; give it a share above 0")
