"""A request's line and headers, which must arrive in time.

uvicorn limits their bytes, not their time: who sends a byte now and then would hold a connection
for as long as they like, and enough of them all that there are.  Bodies have a limit of their own
(``bodies``), and between two requests uvicorn's keep-alive closes.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def timed_heads(seconds: float) -> type[H11Protocol]:
    """uvicorn's protocol over h11, where a head that is not whole after ``seconds`` is answered
    with 408, and the connection closed.  The time begins with the connection, and after the first
    request of one with the next one's first byte.
    """

    class TimedHeads(H11Protocol):
        _head: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
                self._wait()
            else:
                self._stop()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _wait(self) -> None:
            if self._head is None:
                self._head = self.loop.call_later(seconds, self._too_slow)

        def _stop(self) -> None:
            if self._head is not None:
                self._head.cancel()
                self._head = None

        def _too_slow(self) -> None:
            self._head = None
            if self.transport.is_closing():
                return
            said = h11.Response(
                status_code=408,
                reason=b"Request Timeout",
                headers=[("connection", "close"), ("content-length", "0")],
            )
            self.transport.write(self.conn.send(said) or b"")
            self.transport.write(self.conn.send(h11.EndOfMessage()) or b"")
            self.transport.close()

    return TimedHeads
