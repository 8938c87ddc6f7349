"""The range test: what it suggests on curves made by hand, and that it leaves no trace."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn

from striate.data import Dataset
from striate.records.rates import RatePoint
from striate.training import Recipe
from striate.training.rates import find_rate, judged


def points(smooth: list[float]) -> list[RatePoint]:
    return [RatePoint(lr=10.0**at, loss=loss, smooth=loss) for at, loss in enumerate(smooth, -5)]


def test_lowest_and_steepest_of_a_curve() -> None:
    assert judged(points([2.3, 2.3, 2.2, 1.5, 1.2, 1.9, 9.0])) == (1e-1, 1e-3)
    assert judged(points([2.3, 2.3, 1.0, 0.9])) == (1e-2, 1e-4)  # lowest at the end
    for flat in ([2.3, 2.3, 2.299, 5.0], [2.3, 2.4, 9.0], [float("nan")], [2.3, float("inf")]):
        assert judged(points(flat)) == (None, None)


def test_module_and_random_states_are_untouched(
    digits: Dataset, wanted: Recipe, net: nn.Module
) -> None:
    before = copy.deepcopy(net.state_dict())
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002  the state a user may draw from
    process = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    recipe = wanted.with_({"drop_path": 0.1, "mix.mixup": 0.2, "augment.policy": "trivial"})
    net.train()
    first = find_rate(net, digits, recipe, steps=25)
    again = find_rate(net, digits, recipe, steps=25)
    assert first == again
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training
    assert all(parameter.grad is None for parameter in net.parameters())
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()
    assert (states[2] == np.random.get_state()[1]).all()  # noqa: NPY002  as above
    assert process == (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())


def test_rates_rise_by_a_factor_until_the_loss_explodes(digits: Dataset, wanted: Recipe) -> None:
    """A linear network: above some rate plain descent diverges, far below it learns nothing."""
    with torch.random.fork_rng():
        module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    found = find_rate(module, digits, wanted.with_({"lr": 0.05, "momentum": 0.0}), steps=60)
    rates = [point.lr for point in found.points]
    assert rates[0] == pytest.approx(0.05e-3)
    np.testing.assert_allclose(np.diff(np.log(rates)), np.log(1e5) / 59)
    assert found.lowest is not None
    assert found.suggestion == pytest.approx(found.lowest / 10)
    assert found.steepest is not None
    assert found.steepest < found.lowest
    # Trained at the suggestion, the loss falls below what it is at a thousandth of it.
    losses = dict[float, float]()
    for rate in (found.suggestion, found.suggestion / 1000):
        own = copy.deepcopy(module)
        optimiser = torch.optim.SGD(own.parameters(), lr=rate)
        images = torch.as_tensor(digits.train.pixels(np.arange(300))).float() / 16
        labels = torch.as_tensor(digits.train.labels[:300])
        for _ in range(50):
            loss = nn.functional.cross_entropy(own(images), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        losses[rate] = loss.item()
    assert losses[found.suggestion] < 0.9 * losses[found.suggestion / 1000]
