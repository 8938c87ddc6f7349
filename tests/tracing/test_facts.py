"""Published figures: parameters, MACs, activations and fields of well-known networks.

The networks are written here as their papers have them, apart from striate's own zoo.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.arch import zoo
from striate.building import build
from striate.records import Trace
from striate.tracing import trace


def conv(i: int, o: int, k: int, s: int = 1, g: int = 1, act: nn.Module | None = None) -> nn.Module:
    parts: list[nn.Module] = [
        nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False),
        nn.BatchNorm2d(o),
    ]
    return nn.Sequential(*parts, *([act] if act is not None else []))


class Bottleneck(nn.Module):
    """He et al. 2015, stride on the 3x3; Xie et al. 2016 with groups; wide as in 2016."""

    def __init__(self, i: int, inner: int, o: int, s: int, groups: int) -> None:
        super().__init__()
        self.one = conv(i, inner, 1, act=nn.ReLU(inplace=True))
        self.two = conv(inner, inner, 3, s, groups, act=nn.ReLU(inplace=True))
        self.three = conv(inner, o, 1)
        self.skip = conv(i, o, 1, s) if s > 1 or i != o else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.three(self.two(self.one(x))) + self.skip(x), inplace=True)


def resnet(depths: list[int], width: int = 64, groups: int = 1) -> nn.Module:
    layers: list[nn.Module] = [conv(3, 64, 7, 2, act=nn.ReLU(inplace=True)), nn.MaxPool2d(3, 2, 1)]
    i = 64
    for stage, depth in enumerate(depths):
        o = 256 << stage
        for n in range(depth):
            inner = (width << stage) * groups
            layers.append(Bottleneck(i, inner, o, 2 if stage and n == 0 else 1, groups))
            i = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


def vgg(depths: list[int]) -> nn.Module:
    layers: list[nn.Module] = []
    i = 3
    for o, depth in zip((64, 128, 256, 512, 512), depths, strict=True):
        for _ in range(depth):
            layers += [nn.Conv2d(i, o, 3, padding=1), nn.ReLU(inplace=True)]
            i = o
        layers.append(nn.MaxPool2d(2))
    dense = [nn.Linear(25088, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), *dense, nn.Linear(4096, 1000))


def alexnet() -> nn.Module:
    """Krizhevsky 2014 (one tower)."""
    relu, pool = nn.ReLU, lambda: nn.MaxPool2d(3, 2)
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), relu(), pool(), nn.Conv2d(64, 192, 5, 1, 2), relu(), pool(),
        nn.Conv2d(192, 384, 3, 1, 1), relu(), nn.Conv2d(384, 256, 3, 1, 1), relu(),
        nn.Conv2d(256, 256, 3, 1, 1), relu(), pool(), nn.Flatten(), nn.Linear(9216, 10),
    )  # fmt: skip


class ConvNeXtBlock(nn.Module):
    """Liu et al. 2022, figure 4."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.deep, self.norm = nn.Conv2d(c, c, 7, padding=3, groups=c), nn.LayerNorm(c)
        self.up, self.down = nn.Linear(c, 4 * c), nn.Linear(4 * c, c)
        self.scale = nn.Parameter(torch.ones(c))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.deep(x).permute(0, 2, 3, 1))
        return x + (self.scale * self.down(F.gelu(self.up(y)))).permute(0, 3, 1, 2)


class ChannelNorm(nn.LayerNorm):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def convnext(depths: list[int]) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 96, 4, 4), ChannelNorm(96)]
    for stage, depth in enumerate(depths):
        c = 96 << stage
        if stage:
            layers += [ChannelNorm(c // 2), nn.Conv2d(c // 2, c, 2, 2)]
        layers += [ConvNeXtBlock(c) for _ in range(depth)]
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(768))
    return nn.Sequential(*layers, pool, nn.Linear(768, 1000))


class ViT(nn.Module):
    """Dosovitskiy et al. 2020, attention by PyTorch's fused function."""

    def __init__(self, c: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.patches = nn.Conv2d(3, c, 16, 16)
        self.token, self.places = (
            nn.Parameter(torch.zeros(1, 1, c)),
            nn.Parameter(torch.zeros(197, c)),
        )
        part = {"qkv": (c, 3 * c), "proj": (c, c), "up": (c, 4 * c), "down": (4 * c, c)}
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {k: nn.Linear(*v) for k, v in part.items()}
                | {"one": nn.LayerNorm(c), "two": nn.LayerNorm(c)}
            )
            for _ in range(12)
        )
        self.norm, self.head = nn.LayerNorm(c), nn.Linear(c, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
        for block in self.blocks:
            y = (
                block["qkv"](block["one"](x))
                .unflatten(2, (3, self.heads, -1))
                .permute(2, 0, 3, 1, 4)
            )
            y = F.scaled_dot_product_attention(*y.unbind(0)).transpose(1, 2).flatten(2)
            x = x + block["proj"](y)
            x = x + block["down"](F.gelu(block["up"](block["two"](x))))
        return self.head(self.norm(x)[:, 0])


class MBConv(nn.Module):
    """Tan and Le 2019, with squeeze-excitation."""

    def __init__(self, i: int, o: int, expand: int, k: int, s: int) -> None:
        super().__init__()
        c = i * expand
        self.up = conv(i, c, 1, act=nn.SiLU()) if expand > 1 else nn.Identity()
        self.deep = conv(c, c, k, s, c, act=nn.SiLU())
        self.squeeze, self.excite = nn.Conv2d(c, max(1, i // 4), 1), nn.Conv2d(max(1, i // 4), c, 1)
        self.down = conv(c, o, 1)
        self.adds = s == 1 and i == o

    def forward(self, x: Tensor) -> Tensor:
        y = self.deep(self.up(x))
        gate = self.excite(F.silu(self.squeeze(y.mean((2, 3), keepdim=True))))
        y = self.down(y * torch.sigmoid(gate))
        return x + y if self.adds else y


def efficientnet(width: float, depth: float) -> nn.Module:
    def channels(n: int) -> int:
        rounded = max(8, int(n * width + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * n * width else rounded

    table = [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
             (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)]  # fmt: skip
    i = channels(32)
    layers: list[nn.Module] = [conv(3, i, 3, 2, act=nn.SiLU())]
    for expand, k, s, o, n in table:
        for at in range(ceil(n * depth)):
            layers.append(MBConv(i, channels(o), expand, k, s if at == 0 else 1))
            i = channels(o)
    last = channels(1280)
    layers += [conv(i, last, 1, act=nn.SiLU()), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(last, 1000))


NETS: dict[str, Callable[[], nn.Module]] = {
    "resnext50_32x4d": lambda: resnet([3, 4, 6, 3], 4, 32),
    "wide_resnet50_2": lambda: resnet([3, 4, 6, 3], 128),
    "vgg11": lambda: vgg([1, 1, 2, 2, 2]),
    "vgg19": lambda: vgg([2, 2, 4, 4, 4]),
    "convnext_tiny": lambda: convnext([3, 3, 9, 3]),
    "convnext_small": lambda: convnext([3, 3, 27, 3]),
    "vit_small_patch16": lambda: ViT(384, 6),
    "vit_base_patch16": lambda: ViT(768, 12),
} | {
    f"efficientnet_b{n}": (lambda w=w, d=d: efficientnet(w, d))
    for n, (w, d) in enumerate(
        [(1, 1), (1, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8), (1.6, 2.2), (1.8, 2.6), (2, 3.1)]
    )
}  # fmt: skip
ZOO = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "vgg16"]


@pytest.mark.parametrize("name", [*NETS, *ZOO])
def test_published_costs(name: str, shared: Path) -> None:
    fact: dict[str, Any] = json.loads((shared / "facts/networks.json").read_text())["rows"][name]
    found = trace(
        NETS.get(name, lambda: build(zoo(name), device="meta")), (3,) + (fact["image"],) * 2
    )
    assert found.complete
    assert found.unknown == ()
    assert found.unused == ()
    assert found.totals.params == fact["params"]
    _agree(found.totals.macs / 1e9, fact["gmacs"])
    _agree(found.totals.activations / 1e6, fact["acts_m"])


def _agree(found: float, published: float) -> None:
    """To half of the last digit that was published."""
    digits = len(str(published).partition(".")[2])
    assert abs(found - published) <= 0.5 * 10**-digits + 1e-9


FIELDS: dict[str, Callable[[], nn.Module]] = {
    "alexnet": alexnet,
    **{name: lambda name=name: build(zoo(name), device="meta") for name in ZOO},
}


@pytest.mark.parametrize(
    "row", ["resnet18", "resnet34", "resnet50", "resnet50_join", "vgg16", "vgg16_pool", "alexnet",
            "alexnet_pool"],
)  # fmt: skip
def test_published_fields(row: str, shared: Path) -> None:
    fact: dict[str, Any] = json.loads((shared / "facts/fields.json").read_text())["rows"][row]
    found = trace(FIELDS[row.partition("_")[0]], (3, 224, 224))
    last = {"last conv2d": _last_conv, "last max pool": _last_pool, "after the last join": _join}
    field = last[fact["at"]](found).field
    assert field is not None
    assert field.status == "exact"
    for key in ("size", "start", "least"):
        if key in fact:
            assert getattr(field, key) == (fact[key], fact[key])


def _last_conv(found: Trace) -> Any:
    return found.last("conv2d")


def _last_pool(found: Trace) -> Any:
    return found.last("max_pool2d")


def _join(found: Trace) -> Any:
    return found.last("add")
