"""Which sample belongs to which split, when the data does not say.

Units (single images, or all images of one group, or all copies of one image) are walked in an
order that depends on the seed and their content alone.  A unit goes to the split when that brings
its class counts nearer to their targets (the sum over classes of the absolute difference gets
smaller) and leaves every class at least one training image.  A class of n images has the target
floor(share · n + 1/2).  For single images this takes exactly the target from every class.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from striate.data.options import Indices, Words
from striate.keyed import bits


def divide(
    labels: Indices, units: Words, *, classes: int, shares: Mapping[str, float], seed: int
) -> dict[str, Indices]:
    """Indices of each split named in ``shares``, and of ``train``, which keeps the rest.

    ``labels`` (N,); ``units`` (N,): samples with equal words stay together.
    """
    totals = np.bincount(labels, minlength=classes)
    left = totals.copy()
    words, inverse = np.unique(units, return_inverse=True)
    by_unit = np.argsort(inverse, kind="stable")
    starts = np.searchsorted(inverse[by_unit], np.arange(len(words) + 1))
    where = np.full(len(words), -1, dtype=np.int64)
    names = list(shares)
    for number, name in enumerate(names):
        targets = np.floor(shares[name] * totals + 0.5).astype(np.int64)
        targets = np.minimum(targets, np.maximum(left - 1, 0))
        missing = targets.tolist()
        remaining = left.tolist()
        for unit in np.lexsort((words, bits(seed, f"split.{name}", words))).tolist():
            if where[unit] >= 0:
                continue
            members = labels[by_unit[starts[unit] : starts[unit + 1]]].tolist()
            if _takes(members, missing, remaining):
                where[unit] = number
        left = np.array(remaining)
    assigned: NDArray[np.int64] = where[inverse]
    result = {name: np.flatnonzero(assigned == number) for number, name in enumerate(names)}
    result["train"] = np.flatnonzero(assigned == -1)
    return result


def _takes(members: list[int], missing: list[int], remaining: list[int]) -> bool:
    """Whether the split takes a unit whose samples have the labels ``members``.

    ``missing`` (per class, may go below zero) and ``remaining`` (training images per class) are
    brought up to date when it does.
    """
    if len(members) == 1:
        label = members[0]
        if missing[label] <= 0 or remaining[label] <= 1:
            return False
        missing[label] -= 1
        remaining[label] -= 1
        return True
    counts: dict[int, int] = {}
    for label in members:
        counts[label] = counts.get(label, 0) + 1
    change = sum(abs(missing[c] - n) - abs(missing[c]) for c, n in counts.items())
    if change >= 0 or any(remaining[c] <= n for c, n in counts.items()):
        return False
    for label, n in counts.items():
        missing[label] -= n
        remaining[label] -= n
    return True
