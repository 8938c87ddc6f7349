"""Images that come one at a time, shown together; queues that are full say so at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from striate.records import Prediction
from striate.web.batcher import Batcher
from striate.web.lanes import Lane
from striate.web.refusals import Busy


def said(name: str) -> Prediction:
    return Prediction(image=name, classes=("a",), confidences=(1.0,), unlike=())


class Network:
    """Says each image's name; waits until it may, and notes the batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.may = threading.Event()
        self.begun = threading.Event()

    def __call__(self, pixels: Sequence[Tensor], names: Sequence[str]) -> list[Prediction]:
        self.begun.set()
        assert self.may.wait(20)
        assert len(pixels) == len(names)
        self.batches.append(list(names))
        if "broken" in names:
            raise ValueError("broken")
        return [said(name) for name in names]


def batcher(network: Network, *, batch: int = 4, waiting: int = 8) -> tuple[Batcher, list[int]]:
    sizes: list[int] = []
    made = Batcher(
        network, batch=batch, wait_seconds=0.01, waiting=waiting,
        told=lambda images, _seconds: sizes.append(images),
    )  # fmt: skip
    return made, sizes


PIXELS = torch.zeros(1, 1, 2, 2)


async def gone_in(network: Network, made: Batcher, name: str) -> asyncio.Task[Prediction]:
    """The network is at work on this one, alone."""
    first = asyncio.create_task(made(PIXELS, name))
    assert await asyncio.to_thread(network.begun.wait, 20)
    return first


def test_what_waits_is_shown_together_and_each_gets_its_own() -> None:
    network = Network()
    made, sizes = batcher(network)

    async def ask() -> list[Prediction]:
        first = await gone_in(network, made, "0")
        others = [asyncio.create_task(made(PIXELS, str(n))) for n in range(1, 7)]
        while made.waiting < 6:
            await asyncio.sleep(0.001)
        network.may.set()
        return [await one for one in (first, *others)]

    answers = asyncio.run(ask())
    made.close()
    assert [one.image for one in answers] == [str(n) for n in range(7)]
    assert network.batches == [["0"], ["1", "2", "3", "4"], ["5", "6"]]
    assert sizes == [1, 4, 2]


def test_a_full_queue_is_told_at_once() -> None:
    network = Network()
    made, _ = batcher(network, waiting=2)

    async def ask() -> None:
        first = await gone_in(network, made, "0")
        waiting = [asyncio.create_task(made(PIXELS, str(n))) for n in (1, 2)]
        while made.waiting < 2:
            await asyncio.sleep(0.001)
        with pytest.raises(Busy, match="2 images wait already"):
            await made(PIXELS, "3")
        network.may.set()
        assert [one.image for one in await asyncio.gather(first, *waiting)] == ["0", "1", "2"]

    asyncio.run(ask())
    made.close()


def test_an_error_reaches_all_of_its_batch_and_nobody_else() -> None:
    network = Network()
    made, _ = batcher(network)

    async def ask() -> list[object]:
        first = await gone_in(network, made, "0")
        others = [asyncio.create_task(made(PIXELS, name)) for name in ("broken", "1")]
        while made.waiting < 2:
            await asyncio.sleep(0.001)
        network.may.set()
        found = await asyncio.gather(first, *others, return_exceptions=True)
        return [*found, await made(PIXELS, "2")]

    first, broken, beside, after = asyncio.run(ask())
    made.close()
    assert isinstance(first, Prediction)
    assert isinstance(broken, ValueError)
    assert isinstance(beside, ValueError)
    assert isinstance(after, Prediction)


def test_who_has_gone_is_not_waited_for() -> None:
    network = Network()
    made, _ = batcher(network)

    async def ask() -> Prediction:
        first = await gone_in(network, made, "0")
        first.cancel()
        network.may.set()
        return await made(PIXELS, "1")

    assert asyncio.run(ask()).image == "1"
    made.close()


def test_a_lane_refuses_beyond_its_queue_and_gives_up_what_waits_too_long() -> None:
    may = threading.Event()

    async def ask() -> list[object]:
        lane = Lane("work", threads=1, waiting=1, seconds=0.2)
        first = asyncio.create_task(lane.run(may.wait))
        second = asyncio.create_task(lane.run(may.wait))
        await asyncio.sleep(0.05)
        with pytest.raises(Busy, match="work: 2 requests wait already"):
            await lane.run(may.wait)
        with pytest.raises(Busy, match=r"waited for 0\.2 s"):
            await second
        may.set()
        found = [await first]  # it had begun: it is waited for
        found.append(await lane.run(lambda: "after"))
        with pytest.raises(KeyError):
            await lane.run(lambda: {}["x"])
        while lane.inside:
            await asyncio.sleep(0.001)
        lane.close()
        return found

    assert asyncio.run(ask()) == [True, "after"]
