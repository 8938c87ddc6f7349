"""Images that come one at a time, shown to the network together."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from striate.records import Prediction
from striate.web.refusals import Busy

Show = Callable[[Sequence[Tensor], Sequence[str]], Sequence[Prediction]]
"""What is said of inputs (1, C, H, W) that have these names, in their order."""


@dataclass(frozen=True)
class _Waiting:
    pixels: Tensor
    name: str
    answer: asyncio.Future[Prediction]
    loop: asyncio.AbstractEventLoop


class Batcher:
    """One thread, which alone calls ``show``: with what has come, ``batch`` images at most.

    The first image of a batch waits ``wait_seconds`` for others, no longer.  Of more than
    ``waiting`` images the next is refused (429).  ``told`` hears the size and the seconds of each
    batch.
    """

    def __init__(
        self,
        show: Show,
        *,
        batch: int,
        wait_seconds: float,
        waiting: int,
        told: Callable[[int, float], None],
    ) -> None:
        self._show, self._told = show, told
        self._batch, self._wait = batch, wait_seconds
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(waiting)
        self._thread = threading.Thread(target=self._work, name="striate-model", daemon=True)
        self._thread.start()

    async def __call__(self, pixels: Tensor, name: str) -> Prediction:
        """What the network says of one image; Busy where too many wait."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Prediction] = loop.create_future()
        try:
            self._queue.put_nowait(_Waiting(pixels, name, answer, loop))
        except queue.Full:
            raise Busy(f"{self._queue.maxsize} images wait already; ask again soon") from None
        return await answer

    @property
    def waiting(self) -> int:
        """Images in the queue now."""
        return self._queue.qsize()

    def close(self) -> None:
        """Let the thread end after what is before it in the queue."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            some, ended = self._gathered(first)
            began = time.perf_counter()
            try:
                said = self._show([one.pixels for one in some], [one.name for one in some])
            except BaseException as error:  # noqa: BLE001  whatever it is, those who wait must hear it
                self._answer(some, [error] * len(some))
            else:
                self._answer(some, said)
            self._told(len(some), time.perf_counter() - began)
            if ended:
                return

    def _gathered(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        """A batch that begins with ``first``, and whether the thread is to end behind it."""
        some, until = [first], time.perf_counter() + self._wait
        while len(some) < self._batch:
            try:
                one = self._queue.get(timeout=max(0.0, until - time.perf_counter()))
            except queue.Empty:
                break
            if one is None:
                return some, True
            some.append(one)
        return some, False

    @staticmethod
    def _answer(some: Sequence[_Waiting], said: Sequence[Prediction | BaseException]) -> None:
        for one, answer in zip(some, said, strict=True):
            with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits
                one.loop.call_soon_threadsafe(_settle, one.answer, answer)


def _settle(answer: asyncio.Future[Prediction], said: Prediction | BaseException) -> None:
    if answer.done():  # whoever asked has gone
        return
    if isinstance(said, BaseException):
        answer.set_exception(said)
    else:
        answer.set_result(said)
