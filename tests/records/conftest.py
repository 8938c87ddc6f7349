"""Networks of several kinds, traced once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from striate.arch import zoo
from striate.building import build
from striate.records import Trace
from striate.tracing import trace


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.up = nn.Conv2d(width, 2 * width, 1)
        self.down = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(F.gelu(self.up(self.norm(self.mix(x)))))


class Gate(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(width, 4, 1)
        self.excite = nn.Conv2d(4, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.excite(F.relu(self.squeeze(seen))))


class Alternating(nn.Module):
    """Blocks and gates in turn, the last two sharing their weights with the first two."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, stride=4)
        pairs = [part for _ in range(3) for part in (Block(8), Gate(8))]
        self.stages = nn.Sequential(*pairs, pairs[0], pairs[1])
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.stages(self.stem(x)).mean((2, 3)))


class Stops(nn.Module):
    """<i>Its</i> forward fails after its first convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.second = nn.Conv2d(9, 8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))


class Tokens(nn.Module):
    """A small transformer on patches."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 4, stride=4)
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.head = nn.Linear(32, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(self.patches(x).flatten(2).transpose(1, 2))[:, 0])


MODULES = {"alternating": Alternating, "transformer": Tokens}


def module_of(name: str) -> tuple[Callable[[], nn.Module], tuple[int, int, int]]:
    """What makes a network, by its name, and the image it takes."""
    if name in MODULES:
        return MODULES[name], (3, 32, 32)
    arch = zoo(name)
    return (lambda: build(arch, device="meta")), arch.image


@pytest.fixture(scope="session", params=["resnet50", "resnet20", "vgg16", *MODULES])
def traced(request: pytest.FixtureRequest) -> tuple[nn.Module, Trace]:
    make, image = module_of(request.param)
    return make(), trace(make, image, name=request.param)


@pytest.fixture(scope="session")
def resnet20() -> Trace:
    make, image = module_of("resnet20")
    return trace(make, image, name="resnet20")


@pytest.fixture(scope="session")
def alternating() -> Trace:
    return trace(Alternating(), (3, 32, 32), name="alternating")


@pytest.fixture(scope="session")
def stopped() -> Trace:
    return trace(Stops(), (3, 16, 16), name="<b>stops</b>")
