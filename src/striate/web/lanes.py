"""Where work is done: threads with a bounded queue before them, so that a server never chokes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from striate.web.refusals import Busy

Result = TypeVar("Result")


class Lane:
    """Work of one kind: ``threads`` at it, ``waiting`` more at most in the queue.

    Whoever comes to a full queue is told to come again (429), at once.  Work whose turn has not
    come after ``seconds`` is given up in the same way; work that has begun is waited for, since a
    thread cannot be stopped, and every kind of work here has an end.
    """

    def __init__(self, name: str, *, threads: int, waiting: int, seconds: float) -> None:
        self.name = name
        self._most = threads + waiting
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"striate-{name}")
        self.inside = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """What ``work`` returns, or raises."""
        if self.inside >= self._most:
            raise Busy(f"{self.name}: {self.inside} requests wait already; ask again soon")
        self.inside += 1
        loop = asyncio.get_running_loop()
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: self._tell(loop))
        wrapped = asyncio.wrap_future(future)
        done, _ = await asyncio.wait({wrapped}, timeout=self._seconds)
        if not done and future.cancel():
            raise Busy(f"{self.name}: waited for {self._seconds:g} s; ask again soon")
        return await wrapped

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):  # the server has ended
            loop.call_soon_threadsafe(self._left)

    def _left(self) -> None:
        self.inside -= 1

    def close(self) -> None:
        """Take no more work; what waits is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
