"""Small messages that all processes wait for: what a batch norm's statistics and a step's decision
travel by.

There are tens of them in a step, and each holds all processes up, so what counts is how soon the
last to arrive can go on.  Gloo hands every message to a thread of its own, which must first find a
core: where all cores compute, it often waits for one as long as a time slice takes.  Between the
processes of one machine a socket does without: each writes to the others and reads what they wrote,
and the last to arrive finds all of it there (docs/decisions/0035-messages-by-sockets.md).
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor

_MOST_BYTES = 1 << 16
"""Of a message by socket.  Two of them fit into what the system holds for a reader, and no process
is more than two ahead of another, so none waits to write for one that waits to write too."""

_PATIENCE = 1800.0
"""Seconds for which a process waits for the others, as Gloo's do."""


class Messages(Protocol):
    """A way for all processes to tell each other numbers."""

    def gather(self, own: Tensor) -> Tensor:
        """``own`` (n,) of every process, as (P, n): row r is process r's.  All must call it, with
        the same shape and type, and all are given the same words.
        """
        ...


class Collective:
    """Messages by the group's own library: Gloo, or NCCL between GPUs."""

    def __init__(self, group: dist.ProcessGroup) -> None:
        self._group = group

    def gather(self, own: Tensor) -> Tensor:
        """See ``Messages``."""
        rows = [torch.empty_like(own) for _ in range(self._group.size())]
        dist.all_gather(rows, own, group=self._group)
        return torch.stack(rows)


class Sockets:
    """Messages by a socket to each other process of this machine; long ones by ``collective``."""

    def __init__(self, rank: int, others: dict[int, socket.socket], collective: Collective) -> None:
        self._rank = rank
        self._others = others
        self._collective = collective

    def gather(self, own: Tensor) -> Tensor:
        """See ``Messages``.  ``DistNetworkError`` where another process has gone."""
        if own.device.type != "cpu" or own.nbytes > _MOST_BYTES:
            return self._collective.gather(own)
        rows = own.new_empty((len(self._others) + 1, *own.shape))
        rows[self._rank] = own
        words = rows.numpy().data.cast("B")
        row = [words[at : at + own.nbytes] for at in range(0, len(words), own.nbytes)]
        try:
            for other in self._others.values():
                other.sendall(row[self._rank])
            for rank, other in self._others.items():
                _fill(row[rank], other)
        except OSError as error:
            raise dist.DistNetworkError(str(error)) from error
        return rows


@contextmanager
def messages(rank: int, count: int, group: dist.ProcessGroup, *, here: bool) -> Generator[Messages]:
    """The shortest way between the processes of ``group``.

    ``here``: all of them are on this machine and compute on its CPU.
    """
    collective = Collective(group)
    with ExitStack() as open_until_the_end:
        others = _met(rank, count, group, open_until_the_end) if here else None
        yield Sockets(rank, others, collective) if others else collective


def _met(
    rank: int, count: int, group: dist.ProcessGroup, stack: ExitStack
) -> dict[int, socket.socket] | None:
    """A socket to each other process; None, in all of them, where one of them has none."""
    found: dict[int, socket.socket] = {}
    with ExitStack() as meeting:
        # Only this user can look into the folder.
        folder = meeting.enter_context(tempfile.TemporaryDirectory(prefix="striate-"))
        listener = _listening(Path(folder), count)
        place = listener and meeting.enter_context(listener).getsockname()
        places: list[str | None] = [None] * count
        dist.all_gather_object(places, place, group=group)
        with contextlib.suppress(OSError):  # what is missing in ``found`` is seen below
            for other, there in enumerate(places[:rank]):
                found[other] = stack.enter_context(_connected(there, rank))
        met: list[bool] = [False] * count
        dist.all_gather_object(met, listener is not None and len(found) == rank, group=group)
        if listener is None or not all(met):
            return None
        for _ in range(rank + 1, count):
            other = stack.enter_context(listener.accept()[0])
            number = bytearray(4)
            _fill(memoryview(number), other)
            found[int.from_bytes(number)] = other
    for other in found.values():
        other.settimeout(_PATIENCE)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * _MOST_BYTES)
    return dict(sorted(found.items()))


def _listening(folder: Path, count: int) -> socket.socket | None:
    if not hasattr(socket, "AF_UNIX"):
        return None
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(folder / str(os.getpid())))
        listener.listen(count)
    except OSError:  # a path that is too long for the system, or a file system without sockets
        listener.close()
        return None
    return listener


def _connected(place: str | None, rank: int) -> socket.socket:
    if place is None:
        raise OSError("the other process does not listen")
    found = socket.socket(socket.AF_UNIX)
    try:
        found.connect(place)
        found.sendall(rank.to_bytes(4))
    except OSError:
        found.close()
        raise
    return found


def _fill(words: memoryview, other: socket.socket) -> None:
    """All of ``words`` from ``other``."""
    while words:
        got = other.recv_into(words)
        if not got:
            raise ConnectionError("connection closed by peer")
        words = words[got:]
