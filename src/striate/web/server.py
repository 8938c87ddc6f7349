"""From an address to a running server: its socket, its limits, its end."""

from __future__ import annotations

import errno
import ipaddress
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from striate.errors import InputError
from striate.web.guard import opening
from striate.web.heads import timed_heads
from striate.web.service import Service

_HEADER_BYTES = 16_384
"""Of a request's line and headers together."""
_BACKLOG = 512
_GRACE_SECONDS = 2
"""For what is being answered when the server is stopped."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A socket that listens.  ``address``: of the page, with its slash."""

    socket: socket.socket
    address: str
    port: int


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def token_for(host: str, given: str | None) -> str | None:
    """The token that requests must bring: as it was given, made now, or None on loopback.

    InputError for one that a header cannot carry or that can be guessed.
    """
    if given is None:
        return None if is_loopback(host) else secrets.token_urlsafe(24)
    if len(given) < 16 or not given.isascii() or not all(c.isalnum() or c in "-_.~" for c in given):
        raise InputError(
            "--token: give at least 16 letters, digits, -, _, . or ~; leave it out and one is made"
        )
    return given


def bind(host: str, port: int) -> Bound:
    """Listen at ``host``; port 0 takes a free one.  InputError where that cannot be."""
    try:
        (family, kind, protocol, _, where), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as error:
        raise InputError(f"--host {host}: no such address; use 127.0.0.1 or 0.0.0.0") from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise InputError(_why_not(error, host, port)) from error
    number = int(listening.getsockname()[1])
    shown = f"[{host}]" if ":" in host else host
    return Bound(socket=listening, address=f"http://{shown}:{number}/", port=number)


def _why_not(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} is in use; name another with --port, or take a free one: --port 0"
        case errno.EACCES:
            return f"port {port} is not yours to use; name one above 1023 with --port"
        case errno.EADDRNOTAVAIL:
            return f"--host {host}: not an address of this machine; use 127.0.0.1 or 0.0.0.0"
        case _:
            return f"--host {host} --port {port}: {error.strerror}"


def serve(app: FastAPI, bound: Bound, ready: Callable[[], None]) -> None:
    """Answer until the process is asked to stop, which is then raised as KeyboardInterrupt.

    ``ready`` is called when requests are answered.  Event streams end with the server.
    """
    service: Service = app.state.service

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

        def handle_exit(self, sig: int, frame: object) -> None:
            service.ending = True
            super().handle_exit(sig, frame)  # pyright: ignore[reportArgumentType]  (a frame it is)

    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=10,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        http=timed_heads(service.options.limits.head_seconds),
        loop="asyncio",
    )
    Server(config).run(sockets=[bound.socket])


def page_of(bound: Bound, token: str | None) -> str:
    """The address to open: with the token, where there is one."""
    return opening(bound.address, token)
