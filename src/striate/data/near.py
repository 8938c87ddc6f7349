"""Which of many images look alike, without comparing each with each.

Two 64-bit hashes that differ in at most 7 bits agree, up to one bit, in some quarter of theirs: so
the images are sorted by every quarter, and each is compared with those whose quarter is its own or
one bit away (Norouzi, Punjani and Fleet 2012, "Fast Search in Hamming Space with Multi-Index
Hashing", section 3).  Nothing within the distance is missed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.hashing import Signature, correlations
from striate.data.options import Indices, Words

DISTANCE = 7
"""Bits of 64 in which the hashes of near copies may differ; the search is made for 7 at most."""
ALIKE = 0.98
"""Least correlation of two near copies' 16×16 levels."""

MOST_COMPARED = 400_000_000
"""Pairs of hashes that are compared at most; beyond them the search stops, and says so."""
MOST_PAIRS = 1_000_000

_QUARTERS, _WIDTH = 4, 16
_AT_ONCE = 1 << 21


@dataclass(frozen=True, kw_only=True, eq=False)
class Near:
    """``pairs`` (n, 2): indices of images that look alike, the smaller first.

    ``bits`` (n,): in how many bits their hashes differ.  ``complete``: False where there were more
    pairs to compare than the bound.
    """

    pairs: Indices
    bits: Indices
    complete: bool


def find_near(
    words: Words,
    levels: Signature,
    *,
    distance: int = DISTANCE,
    tell: Callable[[int, int], None] | None = None,
) -> Near:
    """Pairs within ``distance`` bits whose levels correlate by ``ALIKE`` or more.

    ``words`` (N,) and ``levels`` (N, 256), as ``hashing.signatures`` gives them.  ``tell`` is
    called with (quarters done, of all).
    """
    assert distance <= DISTANCE, "beyond 7 bits a pair may differ twice in every quarter"
    found: list[NDArray[np.int64]] = []
    compared = kept = 0
    complete = True
    for quarter in range(_QUARTERS):
        for first, second in _candidates(words, quarter):
            compared += len(first)
            if compared > MOST_COMPARED or kept > MOST_PAIRS:
                complete = False
                break
            near = _ones(words[first] ^ words[second]) <= distance
            first, second = first[near], second[near]
            # The levels of some at a time: 1 KiB a pair in float32.
            for start in range(0, len(first), 1 << 16):
                one, two = first[start : start + (1 << 16)], second[start : start + (1 << 16)]
                alike = correlations(levels[one], levels[two]) >= ALIKE
                if alike.any():
                    found.append(np.stack([one[alike], two[alike]], axis=1))
                    kept += int(alike.sum())
        if tell is not None:
            tell(quarter + 1, _QUARTERS)
        if not complete:
            break
    pairs = np.unique(np.concatenate(found), axis=0) if found else np.zeros((0, 2), np.int64)
    bits = _ones(words[pairs[:, 0]] ^ words[pairs[:, 1]])
    return Near(pairs=pairs, bits=bits, complete=complete)


def _candidates(words: Words, quarter: int) -> Iterator[tuple[Indices, Indices]]:
    """Pairs (i, j), i < j, whose ``quarter`` is the same or differs in one bit, some at a time."""
    keys = ((words >> np.uint64(_WIDTH * quarter)) & np.uint64(0xFFFF)).astype(np.int64)
    order = np.argsort(keys, kind="stable")
    starts = np.searchsorted(keys[order], np.arange((1 << _WIDTH) + 1))
    for flip in (0, *(1 << bit for bit in range(_WIDTH))):
        other = keys ^ flip
        begin, count = starts[other], starts[other + 1] - starts[other]
        ends = np.cumsum(count)
        at = 0
        while at < len(words):
            passed = 0 if at == 0 else int(ends[at - 1])
            # At least one image at a time, else as many as have _AT_ONCE candidates together.
            to = max(at + 1, int(np.searchsorted(ends, passed + _AT_ONCE, side="right")))
            some = count[at:to]
            first = np.repeat(np.arange(at, to), some)
            within = np.arange(len(first)) - np.repeat(ends[at:to] - some - passed, some)
            second = order[np.repeat(begin[at:to], some) + within]
            ordered = first < second
            yield first[ordered], second[ordered]
            at = to


def _ones(words: Words) -> Indices:
    """How many bits are set in each of ``words`` (n,); numpy 1.26 has no count of its own."""
    counts = words - ((words >> np.uint64(1)) & np.uint64(0x5555555555555555))
    low = np.uint64(0x3333333333333333)
    counts = (counts & low) + ((counts >> np.uint64(2)) & low)
    counts = (counts + (counts >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return ((counts * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.int64)
