"""A step as a function of (seed, step), and the process as it was before."""

from __future__ import annotations

import random
import signal
import threading

import numpy as np
import pytest
import torch
from torch import nn

from striate.building.randomness import current_key
from striate.training.signals import StopAsked
from striate.training.steady import steady_process, steady_step

IDS = torch.arange(4)


def draws(seed: int, step: int) -> tuple[torch.Tensor, float, float]:
    with steady_step(seed, step, IDS):
        dropped = nn.Dropout(0.5)(torch.ones(200))
        return dropped, random.random(), float(np.random.random())  # noqa: NPY002 # a user's layer


def test_a_users_own_draws_depend_on_seed_and_step_alone() -> None:
    first = draws(1, 7)
    torch.rand(3)
    random.random()
    again, other = draws(1, 7), draws(1, 8)
    assert torch.equal(first[0], again[0])
    assert first[1:] == again[1:]
    assert not torch.equal(first[0], other[0])
    assert first[1] != other[1]
    assert first[2] != other[2]
    assert not torch.equal(first[0], draws(2, 7)[0])


def test_striates_own_draws_get_the_key_of_the_step() -> None:
    with steady_step(5, 9, IDS):
        key = current_key()
    assert key is not None
    assert (key.seed, key.step, key.ids.tolist()) == (5, 9, [0, 1, 2, 3])
    assert current_key() is None


def test_generators_go_on_as_if_nothing_had_drawn() -> None:
    def three() -> list[float]:
        return [torch.rand(1).item(), random.random(), np.random.random()]  # noqa: NPY002 # as above

    with torch.random.fork_rng():
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002 # as above
        expected = three() + three()
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002 # as above
        found = three()
        draws(3, 4)
        with pytest.raises(ZeroDivisionError), steady_step(1, 1, IDS):
            raise ZeroDivisionError
        assert found + three() == expected


def test_threads_and_determinism_inside_and_as_before_outside() -> None:
    def now() -> tuple[int, bool, bool, bool]:
        return (
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.utils.deterministic.fill_uninitialized_memory,
        )

    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        before = now()
        with steady_process(threads=2, deterministic=True):
            assert now() == (2, True, False, False)
            with steady_process(threads=1, deterministic=False):
                assert now() == (1, False, False, False)
            assert now() == (2, True, False, False)
        assert now() == before
        with pytest.raises(ZeroDivisionError), steady_process(threads=2, deterministic=True):
            raise ZeroDivisionError
        assert now() == before
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_acts(number: signal.Signals) -> None:
    arrived: list[int] = []
    before = signal.signal(number, lambda *_: arrived.append(1))
    try:
        with StopAsked() as stop:
            assert not stop
            signal.raise_signal(number)
            assert stop
            assert stop.signal == number
            assert not arrived
            signal.raise_signal(number)
            assert arrived == [1]
        signal.raise_signal(number)
        assert arrived == [1, 1]
    finally:
        signal.signal(number, before)


def test_no_signals_outside_the_main_thread() -> None:
    stopped: list[bool] = []

    def work() -> None:
        with StopAsked() as stop:
            stopped.append(bool(stop))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert stopped == [False]
