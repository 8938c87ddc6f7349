"""Multiply-accumulates of backward, against those that a real backward is seen to make.

torch's counter is right about backward where no convolution is grouped; a grouped one is written
out as convolutions side by side, which it can count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count

from striate.arch import zoo
from striate.building import build
from striate.tracing import trace

IMAGE, BATCH = (3, 32, 32), 2


def counted(net: nn.Module) -> int:
    """Multiply-accumulates of a real backward, by torch's counter."""
    with FlopCounterMode(display=False) as forward:
        out = net.train()(torch.rand(BATCH, *IMAGE))
    with FlopCounterMode(display=False) as backward:
        out.sum().backward()
    assert forward.get_total_flops() > 0
    return backward.get_total_flops() // 2


class Heads(nn.Module):
    """Attention written out: products of two tensors that both have a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.qkv = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 24)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.stem(x).flatten(2).transpose(1, 2)).chunk(3, -1)
        return (q @ k.transpose(1, 2)).softmax(-1) @ v


class SideBySide(nn.Module):
    """A grouped convolution as one convolution for each group."""

    def __init__(self, given: int, out: int, groups: int, stride: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(given // groups, out // groups, 3, stride, 1) for _ in range(groups)
        )

    def forward(self, x: Tensor) -> Tensor:
        parts = zip(self.convs, x.chunk(len(self.convs), 1), strict=True)
        return torch.cat([conv(part) for conv, part in parts], 1)


def grouped(apart: bool, groups: int, stride: int) -> nn.Module:
    deep = SideBySide(8, 16, groups, stride) if apart else nn.Conv2d(8, 16, 3, stride, 1, 1, groups)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), deep)


def frozen() -> nn.Module:
    """No gradient for the frozen weights, and none at all before the first that has one."""
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3),
                        nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(4 * 24 * 24, 3))  # fmt: skip
    for i in (0, 3):
        net[i].requires_grad_(False)
    return net


NETS: dict[str, Callable[[], nn.Module]] = {
    "resnet20": lambda: build(zoo("resnet20")),
    "frozen": frozen,
    "attention written out": Heads,
    "transposed": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.ConvTranspose2d(8, 6, 3, 2, 1), nn.Conv2d(6, 2, (1, 3), (2, 1))
    ),
    "dilated": lambda: nn.Sequential(nn.Conv2d(3, 8, 3, dilation=2), nn.Conv2d(8, 8, 3, 2, 2, 2)),
}


@pytest.mark.parametrize("name", NETS)
def test_backward_is_what_torch_counts(name: str) -> None:
    net = NETS[name]()
    found = trace(net, IMAGE, batch=BATCH)
    assert found.complete, found.failure
    assert found.totals.backward_macs == counted(net)
    assert found.totals.train_macs == found.totals.macs + counted(NETS[name]())
    assert sum(layer.backward_macs or 0 for layer in found) == found.totals.backward_macs
    training = trace(net, IMAGE, batch=BATCH, train=True).totals
    assert training.backward_macs == found.totals.backward_macs


@pytest.mark.parametrize(("groups", "stride"), [(2, 1), (4, 2), (8, 1)])
def test_grouped_convolutions(groups: int, stride: int) -> None:
    found = trace(grouped(False, groups, stride), IMAGE, batch=BATCH)
    assert found.totals.backward_macs == counted(grouped(True, groups, stride))
    assert counted(grouped(False, groups, stride)) > found.totals.backward_macs  # torch's fault


def test_the_image_has_no_gradient() -> None:
    found = trace(nn.Conv2d(3, 8, 3), IMAGE)
    assert found.layers[1].backward_macs == found.layers[1].macs


class Fused(Heads):
    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            self.qkv(self.stem(x).flatten(2).transpose(1, 2))
            .view(-1, 64, 3, 2, 4)
            .permute(2, 0, 3, 1, 4)
        )
        return F.scaled_dot_product_attention(q, k, v)


def test_fused_attention_works_the_scores_out_again() -> None:
    found = trace(Fused(), IMAGE, batch=BATCH)
    shape = (BATCH, 2, 64, 4)
    flops = cast("int", sdpa_backward_flop_count(shape, shape, shape, shape))
    assert found.find("attention")[0].backward_macs == flops // 2


class Aside(nn.Module):
    """A branch that leads nowhere, one behind detach, one in no_grad."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a, self.b = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.c = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        self.a(x)
        with torch.no_grad():
            y = self.b(x)
        return x + y + self.c(x.detach())


def test_what_no_gradient_reaches_has_no_backward() -> None:
    net = Aside()
    found = trace(net, IMAGE, batch=BATCH)
    assert [found[path].backward_macs > 0 for path in ("stem", "a", "b", "c")] == [
        True, False, False, True,
    ]  # fmt: skip
    assert found.totals.backward_macs == counted(net)


def test_a_recurrent_layer_is_the_sum_of_its_parts() -> None:
    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(96, 8, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.lstm(x.permute(0, 2, 3, 1).flatten(2))[0]

    found = trace(Rows(), IMAGE)
    weights, states = 32 * 4 * 8 * (96 + 8), 31 * 4 * 8 * 8  # the first state is zeros
    assert found.totals.backward_macs == weights + states
