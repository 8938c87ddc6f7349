"""What a run's record of its training adds to the rules: since when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from torch import nn

from striate.checking import Given, check
from striate.checking.since import lasting
from striate.records import Finding, Gradient, Health, Trace, Units
from striate.records.health import WatchedStep, WatchedUnits, WatchedWeight
from striate.tracing import trace

NET = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
    nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)  # fmt: skip
WEIGHTS = ("0.weight", "2.weight", "4.weight", "8.weight")


@pytest.fixture(scope="module")
def net() -> Trace:
    return trace(NET, (3, 8, 8))


def seen(step: int, *, dead: int = 0, first: float = 1.0) -> WatchedStep:
    """One look: ``dead`` channels behind the second ReLU, the first weight's gradient."""
    sizes = (first, 1.0, 1.0, 1.0)
    return WatchedStep(
        epoch=1 + step // 100,
        step=step,
        weights=tuple(
            WatchedWeight(parameter=name, gradient=size, weight=1.0, update=0.001)
            for name, size in zip(WEIGHTS, sizes, strict=True)
        ),
        units=tuple(
            WatchedUnits(path=path, op="relu", channels=16, dead=count, saturated=0)
            for path, count in (("1", 0), ("3", dead), ("5", 0))
        ),
    )


def found(net: Trace, code: str, health: Health) -> Finding | None:
    findings = check(net, select=(code,), given=Given(health=health))
    assert len(findings) < 2
    return next(iter(findings), None)


def test_lasting_is_what_holds_to_the_end_in_three_looks() -> None:
    looks = [seen(step) for step in (1, 20, 40, 60, 80)]
    for truth, since in (
        ((1, 1, 1, 1, 1), 1),
        ((1, 0, 1, 1, 1), 40),
        ((1, 1, 0, 1, 1), None),
        ((1, 1, 1, 1, 0), None),
        ((0, 0, 0, 0, 0), None),
    ):
        one = lasting([(step, bool(true)) for step, true in zip(looks, truth, strict=True)])
        assert (None if one is None else one.step) == since
    assert lasting([]) is None


def dead_now(net: Trace) -> Health:
    index = next(layer.index for layer in net if layer.path == "3")
    units = Units(index=index, path="3", op="relu", channels=16, dead=8, saturated=0)
    return Health(images=128, classes=10, spread=1.0, units=(units,))


def test_dead_channels_say_since_when(net: Trace) -> None:
    health = dead_now(net)
    counts = ((1, 0), (100, 3), (200, 4), (300, 8), (400, 9))
    watched = tuple(seen(step, dead=count) for step, count in counts)
    one = found(net, "AF701", replace(health, watched=watched))
    assert one is not None
    assert one.message.endswith(
        "In all batches looked at from step 200 (epoch 3) on, 4 or more were."
    )
    assert one.measured["since_step"] == 200
    assert one.fix is not None
    assert "lower rate" in one.fix


def test_channels_that_were_dead_at_the_start_have_another_mend(net: Trace) -> None:
    watched = tuple(seen(step, dead=8) for step in (1, 20, 40))
    one = found(net, "AF701", replace(dead_now(net), watched=watched))
    assert one is not None
    assert one.fix is not None
    assert one.fix.startswith("they were dead in step 1 already")


def test_dead_channels_without_a_record_are_told_as_before(net: Trace) -> None:
    health = dead_now(net)
    one = found(net, "AF701", health)
    assert one is not None
    assert one.message.endswith("what `2` does for them is lost.")
    assert "since_step" not in one.measured
    other = replace(seen(1), units=())  # another kind of activation is not seen
    assert found(net, "AF701", replace(health, watched=(other,) * 3)) == one


def started(size: float) -> tuple[Gradient, ...]:
    sizes = (size, 1.0, 1.0, 1.0)
    return tuple(
        Gradient(parameter=name, path=name.split(".")[0], gradient=one, weight=1.0)
        for name, one in zip(WEIGHTS, sizes, strict=True)
    )


def test_gradients_that_vanish_later_are_found_with_their_step(net: Trace) -> None:
    sizes = ((1, 1.0), (100, 1e-3), (200, 1e-5), (300, 1e-6), (400, 1e-6))
    watched = tuple(seen(step, first=size) for step, size in sizes)
    health = Health(images=128, classes=10, spread=1.0, started=started(1.0), watched=watched)
    one = found(net, "AF704", health)
    assert one is not None
    assert one.path == "0"
    assert one.message.startswith(
        "gradients vanish from step 200 (epoch 3) on, not before step 1: for their weights, those "
        "of the first 1 layers are 1e-05 of those of the last 1."
    )
    assert one.measured["since_step"] == 200
    assert found(net, "AF704", replace(health, watched=watched[:3])) is None  # one look is none
    assert found(net, "AF704", replace(health, watched=())) is None


def test_gradients_that_were_uneven_at_the_start_are_followed(net: Trace) -> None:
    def told(*sizes: float) -> str:
        watched = tuple(seen(100 * at, first=size) for at, size in enumerate(sizes, 1))
        health = Health(images=128, classes=10, spread=1.0, started=started(1e-6), watched=watched)
        one = found(net, "AF704", health)
        assert one is not None
        assert "vanish before step 1" in one.message
        return one.message.rpartition("of the last 1.")[2]

    assert told(1e-6, 1e-6, 1e-6) == " They still did in step 300 (epoch 4)."
    assert told(1e-6, 1.0, 1.0, 1.0) == " From step 200 (epoch 3) on they no longer did."
    assert told(1.0, 1.0, 1e-6) == ""  # no saying
    assert told(1e-6) == ""


def test_gradients_that_explode_are_told_apart(net: Trace) -> None:
    watched = tuple(seen(100 * at, first=1e5) for at in range(1, 5))
    health = Health(images=128, classes=10, spread=1.0, started=started(1.0), watched=watched)
    one = found(net, "AF704", health)
    assert one is not None
    assert one.message.startswith("gradients explode from step 100 (epoch 2) on")
