"""The same work on many images, on all cores, in their order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_CHUNK = 64


def in_parallel(
    work: Callable[[int], T], items: Sequence[int], done: Callable[[int], None]
) -> Iterator[T]:
    """``work(item)`` of every item, in order; ``done(n)`` is told as n more are finished.

    Threads, since decoders and hashes let go of the interpreter.  What ``work`` raises is raised
    here, at its place in the order, and what has not begun by then never does.
    """

    def some(start: int) -> list[T]:
        return [work(item) for item in items[start : start + _CHUNK]]

    pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
    try:
        for results in pool.map(some, range(0, len(items), _CHUNK)):
            yield from results
            done(len(results))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class Progress:
    """Counts finished work of several passes and tells whoever asked."""

    def __init__(self, tell: Callable[[int, int], None] | None, total: int) -> None:
        self._tell, self._total, self._done = tell, total, 0

    def add(self, finished: int) -> None:
        # A second pass (after bad images were left out) makes the whole larger, never smaller.
        self._done += finished
        self._total = max(self._total, self._done)
        if self._tell is not None:
            self._tell(self._done, self._total)
