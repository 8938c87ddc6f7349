"""The learning rate against torch's own schedulers."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler

from striate.training import Recipe, lr_at


def rates(scheduler: LRScheduler, steps: int) -> list[float]:
    found: list[float] = []
    for _ in range(steps):
        found.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return found


def optimiser(lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)


@pytest.mark.parametrize("steps", [1, 7, 50])
def test_without_warm_up_the_fall_is_torchs(steps: int) -> None:
    cosine = Recipe().with_({"lr": 0.3, "warmup": 0.0})
    expected = rates(CosineAnnealingLR(optimiser(0.3), T_max=steps), steps)
    assert [lr_at(cosine, t, steps) for t in range(1, steps + 1)] == pytest.approx(expected)
    linear = cosine.with_({"schedule": "linear"})
    falling = LinearLR(optimiser(0.3), start_factor=1.0, end_factor=0.0, total_iters=steps)
    expected = rates(falling, steps)
    assert [lr_at(linear, t, steps) for t in range(1, steps + 1)] == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_the_warm_up_rises_in_equal_parts_to_the_top(schedule: str) -> None:
    recipe = Recipe().with_({"lr": 0.8, "warmup": 0.2, "schedule": schedule})
    found = [lr_at(recipe, t, 20) for t in range(1, 21)]
    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8])
    assert all(a > b > 0 for a, b in pairwise(found[4:]))


def test_all_warm_up() -> None:
    recipe = Recipe().with_({"lr": 1.0, "warmup": 1.0})
    assert [lr_at(recipe, t, 4) for t in range(1, 5)] == [0.25, 0.5, 0.75, 1.0]
