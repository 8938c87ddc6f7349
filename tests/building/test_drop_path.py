"""Stochastic depth: which blocks, how often, and for whom."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from striate.arch import Arch, Head, Stage, Stem, zoo
from striate.building import build, droppable, keyed_step, stochastic_depth
from striate.building.drop_path import DropPath

ARCH = Arch(
    name="small",
    image=(1, 8, 8),
    classes=4,
    stem=Stem(width=4),
    stages=(Stage(block="basic", depth=2, width=4), Stage(block="basic", depth=2, width=8)),
    head=Head(),
)


@pytest.mark.parametrize(
    ("name", "blocks", "branches"),
    [("resnet20", 9, 1), ("deit_tiny_patch16", 12, 2), ("convnext_tiny", 18, 1), ("vgg11", 0, 0)],
)
def test_every_residual_block_can_be_left_out(name: str, blocks: int, branches: int) -> None:
    found = droppable(build(zoo(name), device="meta"))
    assert len(found) == blocks
    assert all(len(each) == branches for each in found.values())
    assert "drop" not in "".join(build(zoo(name), device="meta").state_dict())


def test_rates_rise_linearly_and_only_inside() -> None:
    module = build(ARCH)
    drops = [part for part in module.modules() if isinstance(part, DropPath)]
    with stochastic_depth(module, 0.4):
        assert [drop.rate for drop in drops] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert [drop.rate for drop in drops] == [0, 0, 0, 0]


def test_a_sample_loses_the_same_in_any_batch() -> None:
    module = build(ARCH).train()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()  # which otherwise makes a sample depend on its batch
    images = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    ids = torch.arange(16) * 7919
    with stochastic_depth(module, 0.5):
        with keyed_step(3, 5, ids):
            together = module(images)
        for i in (0, 3, 11):
            with keyed_step(3, 5, ids[i : i + 1]):
                torch.testing.assert_close(module(images[i : i + 1]), together[i : i + 1])
        with keyed_step(3, 6, ids):
            assert not torch.equal(module(images), together)
        plain = copy.deepcopy(module).eval()
        with keyed_step(3, 5, ids):
            torch.testing.assert_close(plain(images), build(ARCH).eval()(images))


def test_what_is_left_out_is_the_whole_branch_as_often_as_asked() -> None:
    drop = DropPath().train()
    drop.put(0.3, purpose="here")
    x = torch.ones(4000, 2, 3)
    with keyed_step(0, 1, torch.arange(4000)):
        found = drop(x)
    kept = (found != 0).flatten(1)
    assert (kept.all(dim=1) | ~kept.any(dim=1)).all()
    share = kept[:, 0].double().mean().item()
    assert abs(share - 0.7) < 5 * (0.21 / 4000) ** 0.5
    torch.testing.assert_close(found[kept[:, 0]], torch.full_like(found[kept[:, 0]], 1 / 0.7))
    other = DropPath().train()
    other.put(0.3, purpose="there")
    with keyed_step(0, 1, torch.arange(4000)):
        assert not torch.equal(other(x), found)
    unkeyed = drop(x)  # in somebody's own loop
    assert 0.6 < (unkeyed != 0).double().mean() < 0.8
