"""Which parameters decay, and an optimiser's state out and in again."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from striate.errors import RunError
from striate.runs import place
from striate.training import Recipe
from striate.training.optimiser import (
    decays,
    make_optimiser,
    optimiser_state,
    put_optimiser_state,
    set_lr,
)


def test_norms_biases_and_vectors_do_not_decay() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.batch, self.group = nn.BatchNorm2d(4), nn.GroupNorm(2, 4)
            self.layer = nn.LayerNorm([4, 5, 5])  # a norm whose weight has three dimensions
            self.fc = nn.Linear(4, 4)
            self.scale = nn.Parameter(torch.ones(4))
            self.token = nn.Parameter(torch.ones(1, 4))
            self.tied = nn.Linear(4, 4)
            self.tied.weight = self.fc.weight
            self.frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)

    found = decays(Net())
    assert {name for name, decayed in found.items() if decayed} == {
        "conv.weight", "fc.weight", "token",
    }  # fmt: skip
    assert "frozen" not in found
    assert "tied.weight" not in found  # counted once, as fc.weight


def test_groups_carry_the_decay() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    for name in ("sgd", "adamw"):
        recipe = Recipe().with_({"optimiser": name, "weight_decay": 0.25, "lr": 0.5})
        optimiser = make_optimiser(module, recipe)
        decayed = {id(p): g["weight_decay"] for g in optimiser.param_groups for p in g["params"]}
        assert decayed[id(module[0].weight)] == 0.25
        assert decayed[id(module[0].bias)] == decayed[id(module[1].weight)] == 0.0
    set_lr(optimiser, 0.125)
    assert [group["lr"] for group in optimiser.param_groups] == [0.125, 0.125]


def step(module: nn.Module, optimiser: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(4, 3, 6, 6, generator=generator)
    optimiser.zero_grad()
    F.cross_entropy(module(images).flatten(1), torch.arange(4)).backward()
    optimiser.step()


@pytest.mark.parametrize("name", ["sgd", "adamw"])
@pytest.mark.parametrize("setting", ["fp32", "fp32-channels-last"])
def test_a_restored_optimiser_goes_on_to_the_same_bits(name: str, setting: str) -> None:
    recipe = Recipe().with_({"optimiser": name, "lr": 0.01})
    with torch.random.fork_rng():
        module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(1))
    place(module, setting)
    optimiser = make_optimiser(module, recipe)
    for seed in range(3):
        step(module, optimiser, seed)

    other = copy.deepcopy(module)
    again = make_optimiser(other, recipe)
    state = {n: t.clone(memory_format=torch.contiguous_format) for n, t in
             optimiser_state(optimiser).items()}  # fmt: skip
    assert state
    put_optimiser_state(again, state)
    for seed in range(3, 6):
        step(module, optimiser, seed)
        step(other, again, seed)
    for one, two in zip(module.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)
    for parameter, own in again.state.items():
        for value in own.values():
            assert value.dim() == 0 or value.stride() == parameter.stride()


def test_state_of_another_network() -> None:
    optimiser = make_optimiser(nn.Linear(2, 2), Recipe())
    with pytest.raises(RunError, match="7/momentum_buffer: the network has no such parameter"):
        put_optimiser_state(optimiser, {"7/momentum_buffer": torch.ones(2)})
    with pytest.raises(RunError, match=r"is \(3,\) for a parameter of \(2, 2\)"):
        put_optimiser_state(optimiser, {"0/momentum_buffer": torch.ones(3)})
