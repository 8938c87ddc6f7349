"""What is sent, read as it comes and no further than it may go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from striate.web.refusals import Busy, Refusal, TooLarge, TooSlow

DRAINED_BYTES, DRAINED_SECONDS = 32 * 2**20, 30.0
"""What of a refused body is taken in all the same, and for how long."""


class Heard:
    """What a request's client sends, and whether more of its body is to come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.more = True

    async def __call__(self) -> Message:
        message = await self._receive()
        self.more = message["type"] == "http.request" and bool(message.get("more_body", False))
        return message

    async def drain(self, headers: Headers) -> None:
        """Take in what is left, and forget it.

        A line that is closed while something is on its way is reset, and the answer with it: who
        sends first and reads then would never hear the refusal.
        """
        declared = headers.get("content-length", "")
        # Who expects "100 Continue" has sent nothing yet, and hears the refusal instead.
        if "expect" in headers or (declared.isdecimal() and int(declared[:20]) > DRAINED_BYTES):
            return
        taken = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAINED_SECONDS):
                while self.more and taken <= DRAINED_BYTES:
                    taken += len((await self()).get("body", b""))


class Held:
    """How many bytes of bodies there are in memory, over all requests; never more than ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.bytes = 0

    def take(self, count: int) -> None:
        """Hold ``count`` more; Busy where there is no room."""
        if self.bytes + count > self._most:
            raise Busy("too much is being sent at once; ask again soon")
        self.bytes += count

    def give(self, count: int) -> None:
        """Hold ``count`` less."""
        self.bytes -= count


@asynccontextmanager
async def whole_body(
    receive: Receive, headers: Headers, held: Held, *, most: int, seconds: float
) -> AsyncGenerator[Receive]:
    """The whole body, held for the length of the block, as a request without one more to come.

    What a request declares is believed only where it is too much; what arrives is counted.
    TooLarge beyond ``most`` bytes, TooSlow after ``seconds``, Busy where memory has no room.
    """
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > most:
        raise TooLarge(f"{int(declared[:20]):,} bytes are announced; {most:,} are the most")
    taken = 0
    parts: list[bytes] = []
    try:
        try:
            async with asyncio.timeout(seconds):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refusal("the body ended before it was whole")
                    part: bytes = message.get("body", b"")
                    if taken + len(part) > most:
                        raise TooLarge(f"more than {most:,} bytes, which are the most")
                    held.take(len(part))
                    taken += len(part)
                    parts.append(part)
                    more = bool(message.get("more_body", False))
        except TimeoutError:
            raise TooSlow(f"the body has not arrived within {seconds:g} s") from None
        whole = b"".join(parts)
        parts.clear()
        yield _replayed(whole, receive)
    finally:
        held.give(taken)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What hands ``body`` on as one message, and after it what else is heard."""
    waiting = [body]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again
