"""Filters that whiten, against the covariance of what they give."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from striate.data import Dataset, open_data
from striate.errors import RecipeError
from striate.records import StepRecord
from striate.training import Recipe, train, whitening_problem
from striate.training.whitening import (
    IMAGES,
    LEAST,
    Resting,
    whiten,
    whitened,
    whitening_filters,
)


@pytest.fixture(scope="module")
def shapes() -> Dataset:
    return open_data("shapes")


def test_what_the_filters_give_is_white() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(300, 3, 12, 12, generator=generator)
    images = nn.functional.avg_pool2d(images, 3, stride=1) * 4  # neighbours agree, as in images
    filters = whitening_filters(images, (2, 2))
    assert filters.shape == (24, 3, 2, 2)
    out = nn.functional.conv2d(images, filters).transpose(0, 1).reshape(24, -1).double()
    second = out @ out.T / out.shape[1]
    patches = nn.functional.unfold(images, (2, 2)).transpose(1, 2).reshape(-1, 12).double()
    values = torch.linalg.eigvalsh(patches.T @ patches / len(patches)).flip(0)
    expected = torch.diag(values / (values + LEAST))
    torch.testing.assert_close(second[:12, :12], expected, rtol=0, atol=2e-3)
    torch.testing.assert_close(filters[12:], -filters[:12])


def test_it_is_a_function_of_seed_and_images(shapes: Dataset) -> None:
    def filters(seed: int) -> torch.Tensor:
        conv = nn.Conv2d(shapes.image[0], 2 * shapes.image[0] * 4, 2)
        whiten(nn.Sequential(conv), shapes, seed=seed)
        assert conv.bias is not None
        assert not conv.bias.any()
        return conv.weight.detach()

    assert torch.equal(filters(0), filters(0))
    if len(shapes.train) > IMAGES:
        assert not torch.equal(filters(0), filters(1))


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (nn.Linear(4, 2), "the network has no convolution"),
        (nn.Conv2d(4, 8, 3, groups=2), " works in 2 groups"),
        (
            nn.Sequential(nn.Conv2d(3, 64, 7)),
            "0 has 64 filters of 3×7×7, and both signs of every component would be 294",
        ),
        (nn.Sequential(nn.ReLU(), nn.Conv2d(3, 24, 2)), None),
    ],
)
def test_which_networks_can_whiten(module: nn.Module, said: str | None) -> None:
    assert whitening_problem(module) == said


def test_inside_it_is_not_trained_and_its_weights_are_kept(shapes: Dataset, tmp_path: Path) -> None:
    conv = nn.Conv2d(shapes.image[0], 2 * shapes.image[0] * 4, 2)
    recipe, keep = Recipe().with_({"whiten": True}), tmp_path / "start.safetensors"
    with whitened(nn.Sequential(conv), shapes, recipe, keep=keep):
        assert not conv.weight.requires_grad
        assert keep.exists()
    assert conv.weight.requires_grad
    before = nn.Conv2d(3, 8, 2)
    with whitened(before, shapes, Recipe(), keep=tmp_path / "none"):
        assert before.weight.requires_grad
    assert not (tmp_path / "none").exists()
    with (
        pytest.raises(RecipeError, match=r"whiten:  has 8 filters of 3×2×2.*leave whiten out"),
        whitened(before, shapes, recipe, keep=keep),
    ):
        pass


def test_the_biases_rest_after_three_eighths_of_the_steps() -> None:
    module = nn.Sequential(nn.Conv2d(3, 24, 2), nn.Conv2d(24, 4, 3))
    whitening = Recipe().with_({"whiten": True, "steps": 16})
    own, other = (part.bias for part in (module[0], module[1]) if isinstance(part, nn.Conv2d))
    assert own is not None
    assert other is not None
    resting = Resting(module, whitening)
    with resting.ending():
        seen: list[bool] = []
        for step in (*range(1, 17), 2):  # and a training may go back
            resting.enter(step)
            seen.append(own.requires_grad)
            assert other.requires_grad
        assert seen == [True] * 6 + [False] * 10 + [True]
        resting.enter(16)
    assert own.requires_grad
    for left in (whitening.with_({"whiten": False}), whitening.with_({"finetune.head_first": 0.1})):
        Resting(module, left).enter(16)
        assert own.requires_grad
    own.requires_grad_(False)
    with (untouched := Resting(module, whitening)).ending():
        untouched.enter(1)
        assert not own.requires_grad
    assert not own.requires_grad


def test_in_a_training_they_move_and_then_rest(
    digits: Dataset, begun: Callable[..., tuple[Any, Any]]
) -> None:
    recipe, folder = begun(whiten=True, ema=0.0)
    first = nn.Conv2d(1, 8, 2)
    module = nn.Sequential(first, nn.ReLU(), nn.Flatten(), nn.Linear(8 * 7 * 7, 10))
    assert first.bias is not None
    seen = [
        first.bias.detach().clone()
        for record in train(module, digits, recipe, folder)
        if isinstance(record, StepRecord)
    ]
    assert len(seen) == 15
    moved = [not torch.equal(before, after) for before, after in pairwise(seen)]
    assert moved == [True] * 5 + [False] * 9
    assert first.bias.requires_grad
