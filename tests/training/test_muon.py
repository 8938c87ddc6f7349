"""Muon against singular values, its author's listing, and a run that was interrupted."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from striate.arch import zoo
from striate.building import build
from striate.errors import RecipeError
from striate.training import Recipe
from striate.training.muon import Muon, orthogonal
from striate.training.optimiser import (
    make_optimiser,
    optimiser_state,
    put_optimiser_state,
    set_lr,
)

MUON = Recipe().with_({"optimiser": "muon", "lr": 0.24, "momentum": 0.6, "batch_size": 100})


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(1, 16, 144), (1, 64, 27), (4, 8, 8), (3, 1, 9)])
def test_singular_values_come_near_one_and_vectors_stay(shape: tuple[int, int, int]) -> None:
    matrices = randn(*shape)
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    found = orthogonal(matrices)
    seen = torch.linalg.svdvals(found)
    large = values > 0.05 * values.amax(dim=-1, keepdim=True)
    assert (seen[large] > 0.5).all()
    assert (seen < 1.3).all()
    # In the basis of the singular vectors it is diagonal, up to bfloat16.
    inside = left.mT @ found @ right.mT
    beside = inside - torch.diag_embed(inside.diagonal(dim1=-2, dim2=-1))
    assert beside.abs().max() < 0.03


def listing_step(
    weight: torch.Tensor, gradient: torch.Tensor, buffer: torch.Tensor, lr: float
) -> torch.Tensor:
    """One step as airbench94_muon's listing says it, in double precision up to its iteration."""
    buffer.mul_(0.6).add_(gradient)
    g = gradient + 0.6 * buffer
    weight = weight * (len(weight) ** 0.5 / weight.norm())
    return weight - lr * orthogonal(g.reshape(1, len(g), -1)).reshape(g.shape)


def test_a_step_is_the_listings_but_for_the_length() -> None:
    """The listing gives a bank of n filters the length √n; ours keeps its own."""
    conv = nn.Conv2d(3, 8, 3, bias=False)
    ours = torch.nn.Parameter(conv.weight.detach().clone())
    optimiser = Muon([{"params": [ours], "filters": True, "lr": 0.1, "momentum": 0.6}])
    length = ours.detach().norm().item()
    theirs, buffer = conv.weight.detach().clone(), torch.zeros_like(conv.weight)
    for number in range(3):
        gradient = randn(8, 3, 3, 3, seed=number)
        ours.grad = gradient.clone()
        optimiser.step()
        theirs = listing_step(theirs, gradient, buffer, 0.1)
    torch.testing.assert_close(ours.detach() * (math.sqrt(8) / length), theirs, rtol=0, atol=2e-3)


def test_the_filters_of_each_group_are_a_matrix_of_their_own() -> None:
    weight = torch.nn.Parameter(randn(8, 1, 3, 3))
    apart = [torch.nn.Parameter(half.detach().clone()) for half in weight.split(4)]
    gradient = randn(8, 1, 3, 3, seed=1)
    whole = Muon([{"params": [weight], "filters": True, "lr": 0.1, "blocks": 2}])
    before = weight.detach().clone()
    weight.grad = gradient
    whole.step()
    moved = (before - weight.detach()).split(4)
    for half, part, own in zip(gradient.split(4), moved, apart, strict=True):
        own.grad = half
        start = own.detach().clone()
        Muon([{"params": [own], "filters": True, "lr": 0.1}]).step()
        alone = start - own.detach()
        torch.testing.assert_close(part / part.norm(), alone / alone.norm(), rtol=0, atol=1e-3)


def test_what_is_no_filter_is_stepped_as_torchs_sgd_steps_it() -> None:
    ours, theirs = (torch.nn.Parameter(randn(5)) for _ in range(2))
    first = Muon([{"params": [ours], "lr": 0.1, "momentum": 0.85, "weight_decay": 0.01}])
    second = torch.optim.SGD([theirs], lr=0.1, momentum=0.85, weight_decay=0.01, nesterov=True)
    for number in range(4):
        ours.grad, theirs.grad = (randn(5, seed=number) for _ in range(2))
        first.step()
        second.step()
    torch.testing.assert_close(ours, theirs)


def test_who_is_stepped_by_what() -> None:
    network = build(zoo("airbench94"), seed=0)
    optimiser = make_optimiser(network, MUON)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    found = {
        names[id(p)]: (group["filters"], round(group["times"] * MUON.lr, 9))
        for group in optimiser.param_groups
        for p in group["params"]
    }
    assert found.keys() == set(names.values())
    assert found["stages.0.blocks.0.conv.weight"] == (True, 0.24)
    assert found["stages.0.blocks.0.norm.bias"] == (False, 5.3)
    assert found["stages.0.blocks.0.norm.weight"] == (False, 0.025)
    assert found["head.linear.weight"] == found["head.linear.bias"] == (False, 0.001)
    set_lr(optimiser, 0.12)
    rates = {group["lr"] for group in optimiser.param_groups}
    assert {round(rate, 9) for rate in rates} == {0.12, 2.65, 0.0125, 0.0005}


def test_the_scales_of_norms_have_a_rate_of_their_own() -> None:
    network = build(zoo("convnext_tiny"), seed=0)
    optimiser = make_optimiser(network, MUON.with_({"muon": {"norm": 1e-4}}))
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    rates = {
        names[id(p)]: round(group["times"] * MUON.lr, 9)
        for group in optimiser.param_groups
        for p in group["params"]
    }
    assert rates["stages.0.blocks.0.norm.weight"] == 0.01
    scales = {rate for name, rate in rates.items() if name.endswith(".scale")}
    assert scales == {0.025}


def test_its_state_goes_out_and_in_again() -> None:
    network = build(zoo("airbench94"), seed=0)
    other = copy.deepcopy(network)
    optimiser = make_optimiser(network, MUON)

    def step(module: nn.Module, by: torch.optim.Optimizer, seed: int) -> None:
        for number, parameter in enumerate(module.parameters()):
            parameter.grad = randn(*parameter.shape, seed=1000 * seed + number)
        set_lr(by, 0.1)
        by.step()

    step(network, optimiser, 1)
    other.load_state_dict(network.state_dict())
    again = make_optimiser(other, MUON)
    put_optimiser_state(again, optimiser_state(optimiser))
    step(network, optimiser, 2)
    step(other, again, 2)
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, other.state_dict()[name]), name


def test_a_rate_that_turns_filters_over_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"lr = 1\.5 would turn filters over"):
        Recipe().with_({"optimiser": "muon", "lr": 1.5})
