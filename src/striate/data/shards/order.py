"""The order of a stream: chunks by a keyed order, images shuffled within windows of chunks.

A full shuffle of images touches every chunk all the time.  So an epoch takes the chunks in an order
keyed by (seed, epoch), joins neighbours until a window holds ``WINDOW`` images or more, and
shuffles all images of a window.  A set of one window, that is of no more than about ``WINDOW``
images, comes in the very order of a full shuffle.  In a larger one, images of one chunk always
come within one window of each other; which images share a chunk was drawn by chance when the
shards were written, and stays the same for all epochs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.options import Indices, Words
from striate.keyed import order

WINDOW = 1 << 15
"""Images of one window, at least, while there are more."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunked:
    """``chunk_of`` (N,): the chunk of each sample; ``words``, ``counts`` (chunks,): what the order
    of the chunks is drawn by, and how many samples each has.
    """

    chunk_of: NDArray[np.int32]
    words: Words
    counts: Indices

    @classmethod
    def of(cls, ids: Words, chunk_of: NDArray[np.int32], chunks: int) -> Chunked:
        """A chunk's word is its least id: what it holds decides, not its number."""
        words = np.full(chunks, np.iinfo(np.uint64).max, dtype=np.uint64)
        np.minimum.at(words, chunk_of, ids)
        counts = np.bincount(chunk_of, minlength=chunks).astype(np.int64)
        return cls(chunk_of=chunk_of, words=words, counts=counts)

    def windows(self, *, seed: int, epoch: int) -> Indices:
        """(N,) the number of the window in which each sample comes."""
        sequence = order(seed, "order.chunks", self.words, epoch)
        before = np.cumsum(self.counts[sequence]) - self.counts[sequence]
        window = np.empty(len(self.words), dtype=np.int64)
        window[sequence] = before // WINDOW
        return window[self.chunk_of]
