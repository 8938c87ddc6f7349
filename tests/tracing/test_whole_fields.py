"""What sees a whole map: attention, global pools, kernels as large as the map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.records import Field
from striate.tracing import trace

Conv = nn.Conv2d
IMAGE = (3, 48, 48)


class Net(nn.Module):
    """A forward written as a function of the image and some modules."""

    def __init__(self, forward: Callable[..., Any], *parts: nn.Module) -> None:
        super().__init__()
        self.function = forward
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Any:
        return self.function(x, *self.parts)


def _attention(x: Tensor, stem: nn.Module, qkv: nn.Module) -> Tensor:
    x = stem(x).flatten(2).transpose(1, 2)
    q, k, v = qkv(x).chunk(3, -1)
    return x + F.scaled_dot_product_attention(q, k, v)


def _encoder(x: Tensor, stem: nn.Module, encoder: nn.Module) -> Tensor:
    return encoder(stem(x).flatten(2).transpose(1, 2))


def encoder(stem: nn.Module) -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    return Net(_encoder, stem, nn.TransformerEncoder(layer, 1, enable_nested_tensor=False))


WHOLE: dict[str, Callable[[], nn.Module]] = {
    "attention": lambda: Net(_attention, Conv(3, 8, 4, 4), nn.Linear(8, 24)),
    "transformer encoder": lambda: encoder(Conv(3, 8, 8, 8)),
    "mean over width": lambda: Net(lambda x, a: a(x).mean(3), Conv(3, 4, 3)),
    "pool of the whole map": lambda: Net(
        lambda x, a, b: F.avg_pool2d(b(a(x)), 44), Conv(3, 4, 3), Conv(4, 4, 3)
    ),
    "adaptive to one": lambda: nn.Sequential(Conv(3, 4, 3), nn.AdaptiveMaxPool2d(1)),
    "kernel of the whole map": lambda: nn.Sequential(Conv(3, 4, 3), Conv(4, 4, 46)),
    "two that are whole": lambda: Net(
        lambda x, a, b: a(x).mean((2, 3)) + b(x).mean((2, 3)), Conv(3, 4, 5, 5), Conv(3, 4, 7, 7)
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_means_whole(name: str, against_gradient: Any) -> None:
    verdict = against_gradient(WHOLE[name](), IMAGE)
    if verdict.statuses == [None]:  # no axes are left, and no field is shown
        return
    assert set(verdict.statuses) == {"whole"}
    assert verdict.compared


def test_every_layer_behind_attention_is_whole() -> None:
    found = trace(encoder(Conv(3, 8, 8, 8)), (3, 64, 48))
    first = found.last("attention").index
    assert {layer.field and layer.field.status for layer in found.layers[first:]} == {"whole"}


@pytest.mark.parametrize("side", [60, 63, 64, 71])
def test_pixels_that_a_stride_drops_are_not_seen_by_what_sees_the_whole_map(side: int) -> None:
    """Tokens of 8 pixels in an image that is no multiple of 8: the last ones reach no token."""
    found = trace(encoder(Conv(3, 8, 8, 8)), (3, side, 64))
    kept = side // 8 * 8
    for layer in (found.last("attention"), found.last("add")):
        assert layer.field is not None
        assert layer.field.status == "whole"
        assert (layer.field.size, layer.field.start) == ((kept, 64), (0, 0))


def test_the_mean_of_a_part_is_not_whole(against_gradient: Any) -> None:
    def stripe(x: Tensor, conv: nn.Module) -> Tensor:
        return conv(x)[:, :, 4:10].mean(2, keepdim=True)

    verdict = against_gradient(Net(stripe, Conv(3, 4, 3, padding=1)), IMAGE)
    (field,) = verdict.fields
    assert isinstance(field, Field)
    assert (field.status, field.size) == ("exact", (8, 3))
    assert verdict.compared


def test_a_branch_that_sees_more_than_the_whole_map_did_widens_it() -> None:
    """Attention over tokens of 8 pixels drops 4 of 60; a branch beside it sees 2 of those."""

    def forward(x: Tensor, tokens: nn.Module, wide: nn.Module, qkv: nn.Module) -> Tensor:
        y = tokens(x).flatten(2).transpose(1, 2)
        q, k, v = qkv(y).chunk(3, -1)
        y = F.scaled_dot_product_attention(q, k, v)
        return wide(x).flatten(2).transpose(1, 2) + y

    net = Net(forward, Conv(3, 8, 8, 8), Conv(3, 8, 10, 8), nn.Linear(8, 24))
    field = trace(net, (3, 60, 60)).last("add").field
    assert field is not None
    assert (field.status, field.size) == ("whole", (58, 58))


def test_global_pool_of_one_position() -> None:
    """One position is reduced to itself; its field is what it was."""
    net = nn.Sequential(Conv(3, 4, 5, padding=1), nn.MaxPool2d(46), nn.AdaptiveAvgPool2d(1))
    field = trace(net, (3, 48, 48)).last("adaptive_avg_pool2d").field
    assert field is not None
    assert field.status == "whole"
    assert torch.Size(field.size) == (48, 48)
