"""Words between processes by sockets: all have the same rows, however long they are."""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import combinations

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from striate.errors import ProcessLost
from striate.training import Processes, lost_processes
from striate.training.messages import Collective, Sockets

if not hasattr(socket, "AF_UNIX"):
    pytest.skip("needs sockets of one machine; run these tests on Linux", allow_module_level=True)


class Elsewhere(Collective):
    """Notes that it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def gather(self, own: Tensor) -> Tensor:
        self.asked.append(own.nbytes)
        return own[None]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    first, second = socket.socketpair()
    with first, second:
        yield first, second


@contextmanager
def joined_by_sockets(count: int, elsewhere: Collective) -> Generator[list[Sockets]]:
    ends: list[dict[int, socket.socket]] = [{} for _ in range(count)]
    with ExitStack() as stack:
        for one, other in combinations(range(count), 2):
            for rank, end in zip((one, other), socket.socketpair(), strict=True):
                ends[rank][other + one - rank] = stack.enter_context(end)
        yield [Sockets(rank, ends[rank], elsewhere) for rank in range(count)]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_every_process_has_every_row(count: int) -> None:
    elsewhere = Elsewhere()
    sizes = [1, 3, 129, 4097, 8192, 2]

    def speak(rank: int, way: Sockets) -> list[Tensor]:
        generator = torch.Generator().manual_seed(rank)
        words = [torch.rand(size, generator=generator, dtype=torch.float64) for size in sizes]
        return [way.gather(own) for own in words for _ in range(20)]

    with joined_by_sockets(count, elsewhere) as ways, ThreadPoolExecutor(count) as pool:
        found = list(pool.map(speak, range(count), ways))
    own = [torch.Generator().manual_seed(rank) for rank in range(count)]
    for at, size in enumerate(sizes):
        rows = [torch.rand(size, generator=one, dtype=torch.float64) for one in own]
        for said in found:
            for rest in said[20 * at : 20 * at + 20]:
                assert torch.equal(rest, torch.stack(rows))
    assert not elsewhere.asked


def test_a_message_that_would_fill_the_socket_goes_another_way() -> None:
    elsewhere = Elsewhere()
    with joined_by_sockets(2, elsewhere) as ways:
        ways[0].gather(torch.zeros(8193, dtype=torch.float64))
    assert elsewhere.asked == [8193 * 8]


def test_whoever_waits_for_one_that_has_gone_is_told(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    together = Processes(rank=0, count=2, group=dist.ProcessGroup(dist.HashStore(), 0, 2))
    here, there = pair
    way = Sockets(0, {1: here}, Elsewhere())
    there.sendall(bytes(5))  # and then it died
    there.close()
    said = r"^process 0 of 2: another process of this run has gone \(.+\); what was saved"
    with pytest.raises(ProcessLost, match=said), lost_processes(together):
        way.gather(torch.zeros(1, dtype=torch.float64))


def test_one_that_never_answers_is_not_waited_for_without_end(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    here = pair[0]
    here.settimeout(0.01)
    with pytest.raises(dist.DistNetworkError, match="timed out"):
        Sockets(0, {1: here}, Elsewhere()).gather(torch.zeros(1))
