"""The rule for spikes: what fires, what does not, on made-up losses and on real trainings."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from striate.data import Dataset
from striate.training import Facts, default_recipe
from striate.training.spikes import DEVIATIONS, LASTING, WINDOW, Losses

NOTHING = math.log(10)


def fired(losses: Iterable[float], nothing: float = NOTHING) -> list[int]:
    """At which of ``losses`` something was wrong; it starts anew after each."""
    found, seen = list[int](), Losses()
    for at, loss in enumerate(losses):
        if seen.wrong(loss, nothing=nothing) is not None:
            found.append(at)
            seen = Losses()
    return found


def falling(count: int, low: float, noise: float = 0.1) -> list[float]:
    """From ln 10 towards ``low``, scattered by a factor e^±``noise``."""
    rng = np.random.default_rng(0)
    curve = low + (NOTHING - low) * np.exp(-np.arange(count) / 30)
    return list(curve * np.exp(noise * rng.standard_normal(count)))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_not_finite(bad: float) -> None:
    assert Losses().wrong(bad, nothing=NOTHING) == f"the loss became {bad}"


def test_a_collapse_to_knowing_nothing_fires_after_ten() -> None:
    losses = [*falling(200, 0.3), *[NOTHING] * 30]
    assert fired(losses)[0] == 200 + LASTING - 1
    assert Losses(calm=[0.3] * WINDOW, high=LASTING - 1).wrong(2.3, nothing=NOTHING) == (
        "the loss rose from 0.3 to 2.3 for 10 steps"
    )


def test_a_third_of_what_was_learned_is_not_half() -> None:
    assert fired([*falling(300, 0.3, 0.0), *[0.3 + (NOTHING - 0.3) * 0.4] * 50]) == []
    assert fired([*falling(300, 0.3, 0.0), *[0.3 + (NOTHING - 0.3) * 0.6] * 50]) == [309]


def test_where_little_was_learned_the_scatter_decides() -> None:
    """Around ln 10 and above it nothing can be lost: only what lies far outside the scatter."""
    rng = np.random.default_rng(1)
    early = list(2.3 + 0.2 * rng.standard_normal(400))
    assert fired([*early, *[2.3 + 0.6 * DEVIATIONS * 0.2] * 50]) == []
    assert fired([*early, *[2.3 + 1.6 * DEVIATIONS * 0.2] * 50]) == [400 + LASTING - 1]


def test_single_hard_batches_of_a_network_that_knows_all_do_not_fire() -> None:
    rng = np.random.default_rng(2)
    losses = 0.001 * np.exp(rng.standard_normal(3000))
    losses[rng.random(3000) < 0.2] = 5.0  # every fifth batch has an image nobody can tell
    assert fired(losses) == []


def test_its_state_is_plain_and_bounded() -> None:
    seen = Losses()
    for loss in falling(500, 0.3):
        seen.wrong(loss, nothing=NOTHING)
    assert len(seen.calm) == WINDOW
    assert Losses(**vars(seen)) == seen


def losses_of(net: nn.Module, data: Dataset, lr: float) -> list[float]:
    """A short training at ``lr`` times the default rate: plain SGD in torch, no more."""
    net = copy.deepcopy(net).train()
    facts = default_recipe(Facts.of(data, net)).recipe
    pixels = torch.tensor(data.train.pixels(np.arange(len(data.train)))).float()
    pixels = (pixels / data.scale - data.mean[0]) / data.std[0]
    labels = torch.tensor(data.train.labels)
    optimiser = torch.optim.SGD(net.parameters(), lr=lr * facts.lr, momentum=0.9, nesterov=True)
    generator, found = torch.Generator().manual_seed(0), list[float]()
    for _ in range(8):
        for picked in torch.randperm(len(labels), generator=generator).split(16):
            loss = F.cross_entropy(net(pixels[picked]), labels[picked])
            found.append(loss.item())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return found


@pytest.mark.parametrize("lr", [0.3, 1.0, 3.0])
def test_real_trainings_do_not_fire(net: nn.Module, digits: Dataset, lr: float) -> None:
    assert fired(losses_of(net, digits, lr)) == []
