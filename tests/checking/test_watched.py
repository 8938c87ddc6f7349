"""Layers that ail while they are trained, from the record of a training alone."""

from __future__ import annotations

import pytest

from striate.checking.watched import least_dead, sick_layers
from striate.records.health import WatchedStep, WatchedUnits, WatchedWeight

STEPS = (1, 20, 40, 60, 80)


def look(
    step: int, *, dead: tuple[int, ...] = (0,), gradients: tuple[float | None, ...] = (1.0,) * 6
) -> WatchedStep:
    """A ReLU of 16 channels, called once for each number of ``dead``; weights of length 1."""
    return WatchedStep(
        epoch=1 + step // 50,
        step=step,
        weights=tuple(
            WatchedWeight(parameter=f"{n}.weight", gradient=size, weight=1.0, update=0.001)
            for n, size in enumerate(gradients)
        ),
        units=tuple(
            WatchedUnits(path="act", op="relu", channels=16, dead=count, saturated=0)
            for count in dead
        ),
    )


@pytest.mark.parametrize(("channels", "least"), [(4, 4), (8, 4), (16, 4), (18, 5), (64, 16)])
def test_how_many_dead_channels_are_found(channels: int, least: int) -> None:
    assert least_dead(channels) == least


@pytest.mark.parametrize(
    ("dead", "since"),
    [
        ((0, 0, 4, 4, 5), 40),
        ((4, 4, 4, 4, 4), 1),
        ((4, 3, 4, 4, 4), 40),
        ((0, 0, 0, 4, 4), None),  # two looks
        ((4, 4, 4, 4, 3), None),  # over
    ],
)
def test_dead_channels_since_the_first_look_that_lasts(
    dead: tuple[int, ...], since: int | None
) -> None:
    looks = [look(step, dead=(count,)) for step, count in zip(STEPS, dead, strict=True)]
    found = sick_layers(looks)
    assert [layer.step for layer in found] == ([] if since is None else [since])
    assert all(layer.what == f"{dead[-1]} of 16 channels dead" for layer in found)


def test_calls_of_one_activation_are_told_apart() -> None:
    (one,) = sick_layers([look(step, dead=(0, 16)) for step in STEPS])
    assert str(one) == "act, call 2: 16 of 16 channels dead since step 1 (epoch 1)"


@pytest.mark.parametrize(
    ("gradients", "said"),
    [
        ((1.0, 0.0, 1.0, 1.0, 1.0, 1.0), "1.weight: no gradient since"),
        ((1.0, 1.0, None, 1.0, 1.0, 1.0), "2.weight: gradient not finite since"),
        ((1e-5, 1e-5, 1.0, 1.0, 1.0, 1.0), "0: gradients vanish: 1e-05 of those of the last 2 la"),
        ((2e4, 2e4, 1.0, 1.0, 1.0, 1.0), "0: gradients explode: 2e+04 of those of the last 2 la"),
    ],
)
def test_gradients_that_do_not_arrive(gradients: tuple[float | None, ...], said: str) -> None:
    healthy = [look(1), look(20)]
    (one,) = sick_layers([*healthy, *(look(step, gradients=gradients) for step in STEPS[2:])])
    assert str(one).startswith(said)
    assert (one.step, one.epoch) == (40, 1)
    assert sick_layers([*healthy, look(40), look(60, gradients=gradients)]) == ()


def test_what_changes_its_kind_begins_anew() -> None:
    kinds = ((0.0,), (0.0,), (None,), (None,), (None,))
    looks = [look(s, gradients=(*kind, *[1.0] * 5)) for s, kind in zip(STEPS, kinds, strict=True)]
    (one,) = sick_layers(looks)
    assert (one.what, one.step) == ("gradient not finite", 40)


def test_a_healthy_or_unwatched_training_has_none() -> None:
    assert sick_layers([]) == ()
    assert sick_layers([look(step) for step in STEPS]) == ()
