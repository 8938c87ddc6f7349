"""Smaller images first: which steps see them, and what is in them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.arch import adapt, zoo
from striate.building import build
from striate.training import Recipe, mean_speed, small_problem, small_side
from striate.training.resizing import resized, small_steps

SMALL = Recipe().with_({"small.side": 0.75, "small.until": 0.5, "steps": 10})


def test_the_first_half_of_the_steps_sees_small_images() -> None:
    images = torch.rand(2, 3, 32, 16)
    sizes = [tuple(resized(images, SMALL, step=step).shape[2:]) for step in range(1, 11)]
    assert sizes == [(24, 12)] * 5 + [(32, 16)] * 5
    assert small_steps(SMALL) == 5
    assert resized(images, Recipe(), step=1) is images
    assert small_side(Recipe(), (3, 32, 32)) is None
    assert small_side(SMALL, (3, 1, 1)) is None  # nothing is left to make smaller


def test_every_pixel_counts() -> None:
    """The gradient of the small image reaches each pixel of the large one; a flat one stays so."""
    images = torch.rand(1, 1, 32, 32, requires_grad=True)
    resized(images, SMALL, step=1).sum().backward()
    assert images.grad is not None
    assert (images.grad > 0).all()
    flat = torch.full((1, 1, 32, 32), 0.3)
    torch.testing.assert_close(resized(flat, SMALL, step=1), torch.full((1, 1, 24, 24), 0.3))


def test_a_network_of_one_size_is_told() -> None:
    flattens = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10)).train()
    said = small_problem(flattens, SMALL, (3, 32, 32))
    assert said is not None
    assert said.startswith("the network does not take 24x24 images (mat1 and mat2")
    assert flattens.training
    network = build(adapt(zoo("resnet20"), classes=10))
    assert small_problem(network, SMALL, (3, 32, 32)) is None
    assert small_problem(flattens, Recipe(), (3, 32, 32)) is None


def test_the_mean_speed_is_of_the_time_and_not_of_the_speeds() -> None:
    assert mean_speed(SMALL, full=100.0, small=300.0) == pytest.approx(150.0)
    assert mean_speed(Recipe(), full=100.0, small=None) == 100.0
