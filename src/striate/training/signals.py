"""SIGINT and SIGTERM as a question that the loop asks between steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class StopAsked:
    """Within ``with``: truthy once SIGINT or SIGTERM has arrived.

    The first signal lets the current step end; a second one does what it does outside.  Outside
    the main thread Python delivers no signals, and nothing is installed.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._before: dict[signal.Signals, signal._HANDLER] = {}  # pyright: ignore[reportPrivateUsage] # typeshed's only name for it

    def __bool__(self) -> bool:
        return self.signal is not None

    def __enter__(self) -> StopAsked:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._arrived)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
