"""The gradient by path length, against paths taken one by one."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
import torch
from stream_networks import EVERY, network, picture
from torch import Tensor, nn
from torch.nn import functional as F

from striate.arch import adapt, zoo
from striate.building import build
from striate.errors import InputError
from striate.seeing import path_counts, path_spectrum


@pytest.mark.parametrize("name", EVERY)
def test_the_vectors_sum_to_autograds_gradient(name: str) -> None:
    module, image = network(name)
    found = path_spectrum(module, image, target=1)
    if name != "ours bare":
        given = image[None].clone().requires_grad_()
        (slope,) = torch.autograd.grad(module(given)[0, 1], given)
        assert np.allclose(found.gradient, slope[0].numpy(), rtol=1e-10, atol=0)
    assert found.error < 1e-9
    assert found.shares.sum() == pytest.approx(1)
    assert found.path_shares.sum() == pytest.approx(1)
    assert len(found.counts) == len(found.gradients)
    if name in ("ours plain", "ours bare"):
        assert found.counts == (1,)
        assert "no skip" in found.notes[-1]
    else:
        assert found.counts == tuple(comb(len(found.names), k) for k in range(len(found.counts)))
        assert found.norms.sum() > 1.05 * np.linalg.norm(found.gradient)  # norms do not add


class _Three(nn.Module):
    """Three blocks of which the second has a projection, a gate and an activation behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 5)
        self.a, self.b, self.c = nn.Linear(5, 5), nn.Linear(5, 4), nn.Linear(4, 4)
        self.short, self.gate = nn.Linear(5, 4), nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)

    def branches(self) -> list[tuple[object, object, object]]:
        def gated(x: Tensor) -> Tensor:
            out = torch.tanh(self.b(x))
            return out * torch.sigmoid(self.gate(out))

        return [
            (lambda x: x, lambda x: torch.tanh(self.a(x)), lambda x: x),
            (self.short, gated, F.relu),
            (lambda x: x, lambda x: torch.tanh(self.c(x)), lambda x: x),
        ]

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x.flatten(1))
        for skip, branch, behind in self.branches():
            x = behind(skip(x) + branch(x))
        return self.head(x)


def test_every_length_is_the_sum_of_its_paths() -> None:
    torch.manual_seed(1)
    net = _Three().double()
    image = torch.randn(1, 2, 3, dtype=torch.float64)
    found = path_spectrum(net, image, target=0)

    def jacobian(function: object, at: Tensor) -> Tensor:
        return torch.autograd.functional.jacobian(function, at)

    at = net.stem(image.flatten()).detach()
    first = net.stem.weight.detach()
    pieces = []
    for skip, branch, behind in net.branches():
        total = (skip(at) + branch(at)).detach()
        last = jacobian(behind, total)
        pieces.append((last @ jacobian(skip, at), last @ jacobian(branch, at)))
        at = behind(total).detach()
    expected = torch.zeros(4, 6, dtype=torch.float64)
    for path in product((0, 1), repeat=3):
        carried = net.head.weight[0].detach()
        for piece, taken in zip(pieces[::-1], path[::-1], strict=True):
            carried = carried @ piece[taken]
        expected[sum(path)] += carried @ first
    assert np.allclose(found.gradients.reshape(4, 6), expected.numpy(), rtol=1e-10, atol=1e-14)
    assert found.counts == (1, 3, 3, 1)


def test_paths_of_a_traced_network_of_54_blocks() -> None:
    """Veit et al. 2016, section 4: with 54 blocks nearly all paths are 19 to 35 long."""
    counts = path_counts(
        build(adapt(zoo("preact_resnet110"), image=(3, 8, 8))), picture(3, 8)[0].float()
    )
    assert counts == tuple(comb(54, length) for length in range(55))
    assert sum(counts[19:36]) / sum(counts) == pytest.approx(0.980, abs=0.001)


class _Ways(nn.Module):
    """Ways of equal standing, as in an Inception module: not a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 2, 1), nn.Conv2d(1, 2, 3, padding=1)
        self.last = nn.Conv2d(4, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.one(x).relu(), self.two(x).relu()], 1)
        return (self.last(x) + self.last(x.flip(-1))).mean((2, 3))


def test_sums_of_equals_are_no_skips() -> None:
    assert path_counts(_Ways(), picture(1, 8)[0].float()) == (1,)


class _Nested(nn.Module):
    """A skip within the branch of another."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Linear(4, 4) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        inner = self.a(x).relu()
        return x + self.c(inner + self.b(inner).relu()).relu()


def test_a_skip_within_a_branch() -> None:
    net, image = _Nested().double(), picture(1, 2)[0]
    found = path_spectrum(net, image)
    assert found.counts == (1, 1, 1)
    assert found.error < 1e-12


def test_a_class_that_is_none_is_refused() -> None:
    module, image = network("ours basic")
    with pytest.raises(InputError, match="class 3: the network has 3; give a number from 0 to 2"):
        path_spectrum(module, image, target=3)
