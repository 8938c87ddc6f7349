"""The model of a step on many devices, against messages that are sent one by one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.scaling import Network, Work, step_on
from striate.scaling.cluster import buckets

NET = Network(latency=1e-5, bandwidth=1e9)
HALVING = Network(latency=1e-5, bandwidth=1e9, kind="halving")


def ring(devices: int, size: float, network: Network) -> float:
    """A ring, message by message: each device passes on one of p pieces, until all have the sum."""
    pieces = [[{device} for _ in range(devices)] for device in range(devices)]
    seconds = 0.0
    for passed in range(2 * (devices - 1)):
        sent = [(device, (device - passed) % devices) for device in range(devices)]
        held = {(d, piece): set(pieces[d][piece]) for d, piece in sent}
        for device, piece in sent:
            pieces[(device + 1) % devices][piece] |= held[device, piece]
        seconds += network.latency + size / devices / network.bandwidth
    assert all(piece == set(range(devices)) for own in pieces for piece in own)
    return seconds


def halving(devices: int, size: float, network: Network) -> float:
    """Halves, quarters … are exchanged and summed, and then the other way round."""
    seconds, part = 0.0, size
    for _ in range(int(math.log2(devices))):
        part /= 2
        seconds += 2 * (network.latency + part / network.bandwidth)
    return seconds


@given(devices=st.integers(2, 20), size=st.integers(1, 10**9))
def test_a_sum_in_a_ring_takes_what_its_messages_take(devices: int, size: int) -> None:
    assert NET.sum_seconds(devices, size) == pytest.approx(ring(devices, size, NET))


@given(power=st.integers(1, 10), size=st.integers(1, 10**9))
def test_a_sum_by_halving_takes_what_its_messages_take(power: int, size: int) -> None:
    assert HALVING.sum_seconds(2**power, size) == pytest.approx(halving(2**power, size, HALVING))


def test_a_device_alone_sends_nothing() -> None:
    work = Work(images=32, images_per_second=64, gradients=[(10**8, 10)], macs=5, norms=[64])
    step = step_on(1, work, NET)
    assert (step.seconds, step.messages, step.exposed, step.efficiency) == (0.5, 0, 0, 1)


def test_buckets_hold_all_gradients_and_leave_when_their_last_is_there() -> None:
    mib = 2**20
    gradients = [(20 * mib, 100), (10 * mib, 200), (mib, 300), (mib // 2, 400)]
    work = Work(images=1, images_per_second=1, gradients=gradients, macs=500)
    # Backward: 1,000 of 1,500 MACs, from the last layer to the first.
    assert work.backward_share == pytest.approx(2 / 3)
    found = buckets(work)
    assert [size for size, _ in found] == [1.5 * mib, 30 * mib]
    assert [ready for _, ready in found] == pytest.approx([2 / 3 * 0.7, 2 / 3])


def test_what_the_backward_pass_hides_is_not_waited_for() -> None:
    # The last layer holds the gradients, the first the arithmetic behind them.
    hidden = Work(images=1, images_per_second=1, gradients=[(4, 900), (10**8, 100)], macs=500)
    fast = Network(latency=0.0, bandwidth=1e9)
    step = step_on(2, hidden, fast)
    assert step.messages == pytest.approx(0.1, rel=1e-6)
    assert step.exposed == pytest.approx(4e-9, abs=1e-12)  # the few bytes of the first layer
    open_ = Work(images=1, images_per_second=1, gradients=[(10**8, 900), (4, 100)], macs=500)
    assert step_on(2, open_, fast).exposed == pytest.approx(0.1, rel=1e-6)


def test_slow_messages_queue_behind_each_other() -> None:
    work = Work(images=1, images_per_second=1, gradients=[(10**9, 50), (10**9, 50)], macs=50)
    step = step_on(2, work, NET)
    # Each bucket takes a second, the first leaves after half of the backward pass's 2/3 s.
    assert step.seconds == pytest.approx(1 / 3 + 1 / 3 + 2, rel=1e-3)
    assert step.efficiency == pytest.approx(1 / step.seconds)
    assert step.images_per_second == pytest.approx(2 / step.seconds)


def test_reduced_norms_are_never_hidden() -> None:
    without = Work(images=1, images_per_second=1, gradients=[(4, 100)], macs=50)
    with_ = Work(images=1, images_per_second=1, gradients=[(4, 100)], macs=50, norms=[64, 128])
    # Forward a gather of 2C + 1 doubles, backward a sum of 2C: in a ring of two, three messages.
    words = sum(2 * c + 1 + 2 * c for c in (64, 128))
    expected = 2 * 3 * NET.latency + 8 * words / NET.bandwidth
    more = step_on(2, with_, NET).exposed - step_on(2, without, NET).exposed
    assert more == pytest.approx(expected)
