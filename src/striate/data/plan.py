"""Which samples meet in which batch.

A plan's entries are draws: sample i of N is i where it comes for the first time in its epoch, and
i + N, i + 2 N … where it comes again, as it may where classes are balanced.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from striate.data.options import Indices, Words
from striate.data.split import Split
from striate.errors import DataError
from striate.keyed import bits, order

Sampling = Literal["every", "balanced"]


def epoch_plan(
    split: Split, *, seed: int, epoch: int, batch_size: int, sampling: Sampling = "every"
) -> list[Indices]:
    """One epoch's batches of the N samples of ``split``, as arrays of draws.

    ceil(N / batch_size) batches whose sizes differ by at most one, the larger ones first; a pure
    function of (seed, epoch, the set of ids), and for shards of which of them lie together.
    ``every``: each sample comes once.  ``balanced``: N draws, of each class as many as of any other
    (but for one); the samples of a class come by turns, so that over the epochs each comes as often
    as the others of its class.
    """
    _check(split, batch_size)
    if sampling == "every":
        sequence = _order(split, np.arange(len(split)), split.ids, seed=seed, epoch=epoch)
    else:
        drawn = _balanced(split, seed=seed, epoch=epoch)
        indices, keys = draws_of(split, drawn)
        sequence = drawn[_order(split, indices, keys, seed=seed, epoch=epoch)]
    return np.array_split(sequence, -(-len(split) // batch_size))


def _order(split: Split, indices: Indices, keys: Words, *, seed: int, epoch: int) -> Indices:
    """The order of the samples at ``indices``, by their ``keys``; of shards, window by window."""
    if split.chunked is None:
        return order(seed, "order", keys, epoch)
    windows = split.chunked.windows(seed=seed, epoch=epoch)[indices]
    return np.lexsort((keys, bits(seed, "order", epoch, keys), windows))


def draws_of(split: Split, draws: Indices) -> tuple[Indices, Words]:
    """The indices (n,) into ``split`` of a plan's ``draws`` (n,), and the words (n,) that whatever
    is drawn for them depends on: their ids, and others where they come again.
    """
    times, indices = np.divmod(draws, len(split))
    keys = split.ids[indices]
    again = times > 0
    if again.any():
        keys[again] = bits(0, "draw", times[again], keys[again])
    return indices, keys


def _balanced(split: Split, *, seed: int, epoch: int) -> Indices:
    """One epoch's draws, class by class.

    The samples of a class stand in a row without end, pass after pass, each pass in an order of its
    own; epoch e takes the e-th piece of it.
    """
    members = [np.flatnonzero(split.labels == label) for label in np.unique(split.labels)]
    draws: list[Indices] = []
    for at, own in enumerate(members):
        # Epochs are counted from 1; the first N mod K classes have one draw more.
        count = len(split) // len(members) + (at < len(split) % len(members))
        places = np.arange(count) + max(0, epoch - 1) * count
        turns, within = np.divmod(places, len(own))
        found = np.empty(count, dtype=np.int64)
        for turn in np.unique(turns).tolist():
            here = turns == turn
            found[here] = own[order(seed, "balance", split.ids[own], turn)][within[here]]
        draws.append(found + len(split) * _times(found))
    return np.concatenate(draws)


def _times(found: Indices) -> Indices:
    """For each entry, how often it came before."""
    places = np.argsort(found, kind="stable")
    ordered = found[places]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(ordered)])
    times = np.empty(len(found), dtype=np.int64)
    times[places] = np.arange(len(ordered)) - np.repeat(starts, lengths)
    return times


def whole_plan(split: Split, *, batch_size: int) -> list[Indices]:
    """The split in its own order, in batches of even size: for evaluation."""
    _check(split, batch_size)
    return np.array_split(np.arange(len(split)), -(-len(split) // batch_size))


def _check(split: Split, batch_size: int) -> None:
    if batch_size < 1:
        raise DataError(f"batch size {batch_size} cannot be; use 1 or more")
    if not len(split):
        raise DataError(f"the {split.name} split has no images; give it a share above 0")
