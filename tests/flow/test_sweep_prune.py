"""The pruning rule: only what a cheaper design has clearly beaten is stopped."""

from __future__ import annotations

import pytest

from striate.flow.sweep_prune import Rival, hopeless

CHEAP = Rival(name="cheap", costs=(10, 10, 10), curves=({2: 1.0, 3: 0.9, 4: 0.95},))


def _judge(
    accuracy: float,
    *,
    epoch: int = 3,
    epochs: int = 6,
    images: int = 400,
    costs: tuple[int, int, int] = (20, 20, 20),
    rival: Rival = CHEAP,
) -> str | None:
    return hopeless({epoch: accuracy}, costs=costs, epochs=epochs, images=images, rivals=[rival])


def test_what_a_cheaper_design_has_clearly_beaten_is_stopped() -> None:
    said = _judge(0.5)
    assert said is not None
    assert "cheap" in said
    assert "epoch 3" in said


@pytest.mark.parametrize(
    "given",
    [
        {"accuracy": 0.86},  # 0.04 of 400 images: 3 standard errors are 0.07
        {"accuracy": 0.5, "costs": (20, 9, 20)},  # it has fewer parameters than the rival
        {"accuracy": 0.5, "epoch": 2},  # before half
        {"accuracy": 0.5, "epoch": 5},  # the rival has not been so far
        {"accuracy": 0.5, "images": 0},  # nothing was judged
        {"accuracy": 0.5, "epoch": 4, "epochs": 4},  # it is done
    ],
)
def test_all_else_goes_on(given: dict) -> None:
    assert _judge(**given) is None


def test_the_margin_is_three_standard_errors() -> None:
    # √(p(1−p)/n) for p near ½ and n = 10,000 is 0.005; of the difference 0.00707; three: 0.0212
    rival = Rival(name="r", costs=(1, 1, 1), curves=({3: 0.5},))
    assert _judge(0.5 - 0.0205, images=10_000, rival=rival) is None
    assert _judge(0.5 - 0.0220, images=10_000, rival=rival) is not None


def test_a_rival_is_the_mean_of_its_seeds() -> None:
    rival = Rival(name="r", costs=(1, 1, 1), curves=({3: 0.9}, {3: 0.1}, {2: 1.0}))
    assert _judge(0.45, images=10_000, rival=rival) is not None
    assert _judge(0.499, images=10_000, rival=rival) is None
