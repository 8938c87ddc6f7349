"""Headers that come too slowly: by the timers that are set, and over lines of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="needs the web extra: pip install 'striate[web]'")

import uvicorn
from uvicorn.server import ServerState

from striate.web.heads import timed_heads

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def app(_scope: Any, _receive: Any, send: Any) -> None:
    length = [(b"content-length", b"4")]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": b"here"})


def config(seconds: float) -> uvicorn.Config:
    made = uvicorn.Config(app, http=timed_heads(seconds), lifespan="off", log_level="error")
    made.load()
    return made


class Timer:
    """What ``call_later`` gives."""

    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        self.seconds, self.call, self.cancelled = seconds, call, False

    def cancel(self) -> None:
        self.cancelled = True


class Task:
    """What ``create_task`` gives."""

    def add_done_callback(self, _call: Callable[[Any], None]) -> None: ...


class Loop:
    """Sets timers that only a test lets run, and begins nothing."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(seconds, call))
        return self.timers[-1]

    def create_task(self, work: Coroutine[Any, Any, None]) -> Any:
        work.close()
        return Task()


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written, self.closed = b"", False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@pytest.fixture
def line() -> tuple[Any, Loop, Transport]:
    """A connection just made, whose head has 10 s."""
    loop, transport = Loop(), Transport()
    made = config(10)
    protocol: Any = made.http_protocol_class(
        config=made, server_state=ServerState(), app_state={}, _loop=loop
    )
    protocol.connection_made(transport)
    return protocol, loop, transport


def test_bytes_do_not_put_the_end_off(line: tuple[Any, Loop, Transport]) -> None:
    protocol, loop, transport = line
    (timer,) = loop.timers  # from the connection's first moment
    assert timer.seconds == 10
    for byte in range(len(HEAD) - 1):
        protocol.data_received(HEAD[byte : byte + 1])
    assert loop.timers == [timer]
    assert not timer.cancelled
    timer.call()
    assert transport.written.startswith(b"HTTP/1.1 408 ")
    assert transport.closed


def test_a_whole_head_stops_the_clock(line: tuple[Any, Loop, Transport]) -> None:
    protocol, loop, transport = line
    (timer,) = loop.timers
    protocol.data_received(HEAD[:20])
    assert not timer.cancelled
    protocol.data_received(HEAD[20:])
    assert timer.cancelled
    assert transport.written == b""
    protocol.connection_lost(OSError())


def test_who_leaves_is_no_longer_waited_for(line: tuple[Any, Loop, Transport]) -> None:
    protocol, loop, _ = line
    protocol.connection_lost(OSError())
    assert loop.timers[0].cancelled


Talk = Callable[[Any, Any, ServerState], Coroutine[Any, Any, None]]


def over_a_line(seconds: float, talk: Talk) -> None:
    """Let ``talk`` speak to a server."""

    async def both() -> None:
        made = config(seconds)
        state = ServerState()
        server = await asyncio.get_running_loop().create_server(
            lambda: made.http_protocol_class(config=made, server_state=state, app_state={}),
            "127.0.0.1",
            0,
        )
        async with server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                await talk(reader, writer, state)
            finally:
                writer.close()

    asyncio.run(both())


def test_a_line_that_never_falls_silent_is_closed() -> None:
    async def slowly(reader: Any, writer: Any, state: ServerState) -> None:
        del state
        sent = 0
        writer.write(HEAD[:-2])
        answer = asyncio.ensure_future(reader.read())
        while not answer.done():
            writer.write(b"X")  # one more byte of a header that does not end
            sent += 1
            await asyncio.wait([answer], timeout=0.01)
        assert sent < 10_000  # at some 16 thousand it ends for another reason
        # What comes in when it has been closed may reset the line, and the answer with it.
        if answer.exception() is None:
            assert answer.result().startswith(b"HTTP/1.1 408 ")
        else:
            assert isinstance(answer.exception(), ConnectionResetError)

    over_a_line(0.2, slowly)


def test_the_second_request_of_a_line_has_its_time_too() -> None:
    async def twice(reader: Any, writer: Any, state: ServerState) -> None:
        writer.write(HEAD)
        assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200 ")
        (protocol,) = state.connections
        assert protocol._head is None
        writer.write(HEAD[:-2])
        while protocol._head is None:
            await asyncio.sleep(0.01)
        protocol._too_slow()
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")

    over_a_line(600, twice)
