"""The defaults: what they are for the data people bring, and that they say why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from striate.data import Dataset
from striate.training import Facts, default_recipe


def facts(images: int, image: tuple[int, int, int], *, normed: bool = True) -> Facts:
    return Facts(train_images=images, classes=10, image=image, normed=normed)


def test_digits_are_not_mirrored_and_photographs_are() -> None:
    digits = default_recipe(facts(1259, (1, 8, 8)))
    assert not digits.recipe.augment.flip
    assert (digits.recipe.augment.translate, digits.recipe.augment.cutout) == (1, 3)
    assert (digits.recipe.batch_size, digits.recipe.lr) == (32, 0.05)
    assert any("A square of 3 px" in reason for reason in digits.reasons)
    assert any("No image is mirrored" in r and "--flip" in r for r in digits.reasons)
    cifar = default_recipe(facts(45_000, (3, 32, 32)))
    assert cifar.recipe.augment.flip
    assert cifar.recipe.augment.cutout == 0
    assert cifar.recipe.augment.translate == 4  # He et al. 2015, section 4.2
    assert (cifar.recipe.lr, cifar.recipe.momentum, cifar.recipe.batch_size) == (0.1, 0.9, 128)
    assert any("--no-flip" in r for r in cifar.reasons)


def test_without_norms_rates_are_per_parameter() -> None:
    found = default_recipe(facts(45_000, (3, 32, 32), normed=False))
    assert (found.recipe.optimiser, found.recipe.clip) == ("adamw", 1.0)
    assert any("no batch or group norm" in reason for reason in found.reasons)


def test_larger_images_are_cropped_and_not_shifted() -> None:
    larger = Facts(train_images=9000, classes=2, image=(3, 224, 224), normed=True, crops=True)
    augment = default_recipe(larger).recipe.augment
    assert (augment.crop, augment.translate, augment.cutout) == (True, 0, 0)


def test_facts_are_read_off_the_network(digits: Dataset) -> None:
    assert not Facts.of(digits, nn.Linear(2, 2)).normed
    for norm in (nn.BatchNorm2d(4), nn.GroupNorm(2, 4)):
        assert Facts.of(digits, nn.Sequential(nn.Identity(), norm)).normed
    assert not Facts.of(digits, nn.Sequential(nn.LayerNorm(4))).normed
    found = Facts.of(digits, nn.Identity())
    assert (found.train_images, found.classes, found.image) == (300, 10, (1, 8, 8))


sides = st.integers(1, 512)


@given(
    st.integers(1, 10**7),
    st.tuples(st.sampled_from([1, 3]), sides, sides),
    st.booleans(),
    st.booleans(),
)
def test_there_is_a_recipe_for_everything(
    images: int, image: tuple[int, int, int], normed: bool, crops: bool
) -> None:
    found = default_recipe(
        Facts(train_images=images, classes=2, image=image, normed=normed, crops=crops)
    )
    assert found.recipe.augment.translate < min(image[1:])  # what the data room can do
    assert 8 <= found.recipe.batch_size <= 128
    assert all(reason.endswith(".") for reason in found.reasons)


def test_fewer_images_more_epochs() -> None:
    epochs = [default_recipe(facts(n, (3, 32, 32))).recipe.epochs for n in (50_000, 5000, 500)]
    assert epochs[0] == 30
    assert epochs == sorted(epochs)
    assert epochs[2] == pytest.approx(30 * 100**0.2, abs=0.5)
