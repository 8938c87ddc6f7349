"""How a network is cut into layers: every parameter in one, in the order from image to logits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from striate.arch import zoo, zoo_names
from striate.building import build
from striate.training import layers_of


@pytest.mark.parametrize("name", [name for name in zoo_names() if "1001" not in name])
def test_every_parameter_of_the_zoo_is_in_a_layer(name: str) -> None:
    module = build(zoo(name), device="meta")
    layers = layers_of(module)
    found = [layers.of(path) for path, _ in module.named_parameters()]
    assert set(found) == set(range(layers.last + 1))  # none is empty
    assert found == sorted(found)  # torch names them in the order of the forward
    assert [p for p, _ in module.named_parameters() if layers.of(p) == layers.last] == [
        "head.linear.weight",
        "head.linear.bias",
    ]
    assert layers.last <= 13


def test_a_block_is_a_layer() -> None:
    assert layers_of(build(zoo("resnet18"), device="meta")).paths == (
        ("stem",),
        ("stages.0.enter", "stages.0.blocks.0"),
        ("stages.0.blocks.1", "stages.0.compress", "stages.0.pool"),
        ("stages.1.enter", "stages.1.blocks.0"),
        ("stages.1.blocks.1", "stages.1.compress", "stages.1.pool"),
        ("stages.2.enter", "stages.2.blocks.0"),
        ("stages.2.blocks.1", "stages.2.compress", "stages.2.pool"),
        ("stages.3.enter", "stages.3.blocks.0"),
        ("stages.3.blocks.1", "stages.3.compress", "stages.3.pool"),
        tuple(f"head.{name}" for name in (
            "widen", "norm_map", "act_map", "pool", "norm", "act", "hidden", "dropout", "linear",
        )),
    )  # fmt: skip


def test_many_blocks_share_twelve_layers() -> None:
    module = build(zoo("resnet152"), device="meta")  # 3 + 8 + 36 + 3 blocks
    layers = layers_of(module)
    blocks = [path for parts in layers.paths for path in parts if ".blocks." in path]
    assert len(blocks) == 50
    counts = [sum(".blocks." in path for path in parts) for parts in layers.paths]
    assert counts[0] == counts[-1] == 0
    assert len(counts) == 14
    assert set(counts[1:-1]) == {4, 5}


def test_places_of_tokens_go_with_the_patches() -> None:
    layers = layers_of(build(zoo("deit_tiny_patch16"), device="meta"))
    assert layers.of("stages.0.enter.positions") == layers.of("stem.conv.weight") == 0
    assert layers.of("stages.0.blocks.0.qkv.weight") == 1
    assert layers.of("head.norm_map.weight") == 12  # of 12 blocks and this norm


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(4))
        self.first = nn.Conv2d(3, 4, 3)
        self.body = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()))
        self.last = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.body(self.first(x) + self.token[:, None, None]).mean((2, 3)))


def test_an_own_network_is_cut_where_its_parts_are_registered() -> None:
    assert layers_of(Own()).paths == (
        ("first", "token"),
        ("body.0",),
        ("body.1.0",),
        ("last",),
    )
    assert layers_of(nn.Sequential(nn.Flatten(), nn.Linear(4, 2))).paths == (("1",),)
    assert layers_of(nn.Linear(4, 2)).paths == (("weight", "bias"),)
