"""Precision: well-known networks at their own image size; silence, or a warning once reviewed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from striate.arch import zoo, zoo_names
from striate.building import build
from striate.checking import check
from striate.tracing import trace

FLATTENED = "most of its parameters are in the layer behind its flatten"
BIASED = "torchvision's, whose weights it takes, has the biases too"

REVIEWED: dict[str, dict[str, str]] = {
    "airbench94": {"SH103": "its pools halve maps of 31, 15 and 7 px, as its paper has them"},
    "alexnet": {"SH102": FLATTENED},
    **{f"vgg{depth}": {"SH102": FLATTENED} for depth in (11, 13, 16, 19)},
    **{f"vgg{depth}_bn": {"SH102": FLATTENED, "PA301": BIASED} for depth in (11, 13, 16, 19)},
    "plain20": {"FL201": "its last block's positions each see 65 px of 32"},
    "plain32": {
        "FL201": "nine layers behind the border",
        "RE402": "11.15 % error, where plain20 has 10.08 % (facts/cifar10.json)",
    },
    "plain44": {"FL201": "see plain32", "RE402": "14.12 % error (facts/cifar10.json)"},
    "plain56": {"FL201": "see plain32", "RE402": "15.39 % error (facts/cifar10.json)"},
    "preact_resnet1001": {"CO605": "4.92 % error, where a wide one of 40 layers has 4.53 %"},
}


@pytest.mark.parametrize("name", zoo_names())
def test_the_zoo_says_what_was_reviewed_and_nothing_else(name: str) -> None:
    arch = zoo(name)
    findings = check(trace(lambda: build(arch, device="meta"), arch.image))
    assert {finding.code for finding in findings} == set(REVIEWED.get(name, {}))
    assert all(finding.severity != "error" for finding in findings)


def cna(given: int, out: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, norm, activation."""
    pad = kernel // 2
    conv = nn.Conv2d(given, out, kernel, stride, pad, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU())


def head(width: int) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


class Residual(nn.Module):
    def __init__(self, branch: nn.Module, skip: nn.Module | None = None) -> None:
        super().__init__()
        self.branch, self.skip = branch, skip or nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.skip(x) + self.branch(x)


class Cat(nn.Module):
    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.Conv2d(width, width // 4, 1), nn.Conv2d(width // 4, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = self.excite(self.squeeze(x.mean((2, 3), keepdim=True)).relu()).sigmoid()
        return x * gate


def lenet5() -> nn.Module:
    """LeCun et al. 1998: a flatten of 5×5, small; average pools between tanh."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def mobilenet_v1() -> nn.Module:
    """Howard et al. 2017: 28 weight layers without a skip; depthwise, then pointwise."""
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
    plan += [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
    parts, width = [cna(3, 32, stride=2)], 32
    for out, stride in plan:
        parts += [cna(width, width, 3, stride, groups=width), cna(width, out, 1)]
        width = out
    return nn.Sequential(*parts, head(1024))


def inverted(
    given: int, out: int, stride: int, expand: int = 6, *, gated: bool = False
) -> nn.Module:
    """Sandler et al. 2018: expand, depthwise, project without an activation."""
    wide = given * expand
    first = [] if expand == 1 else [cna(given, wide, 1)]
    gate = [Gate(wide)] if gated else []
    project = [nn.Conv2d(wide, out, 1, bias=False), nn.BatchNorm2d(out)]
    branch = nn.Sequential(*first, cna(wide, wide, 3, stride, groups=wide), *gate, *project)
    return Residual(branch) if stride == 1 and given == out else branch


def mobilenet_v2() -> nn.Module:
    return nn.Sequential(
        cna(3, 32, stride=2), inverted(32, 16, 1, 1), inverted(16, 24, 2), inverted(24, 24, 1),
        inverted(24, 32, 2), inverted(32, 32, 1), inverted(32, 64, 2), inverted(64, 96, 1),
        inverted(96, 160, 2), inverted(160, 320, 1), cna(320, 1280, 1), head(1280),
    )  # fmt: skip


def mobilenet_v3() -> nn.Module:
    """Howard et al. 2019: 16 → 16 → 64 channels without an activation, for want of a skip."""
    return nn.Sequential(
        cna(3, 16, stride=2), inverted(16, 16, 2, 1, gated=True), inverted(16, 24, 2, 4),
        inverted(24, 24, 1, gated=True), inverted(24, 40, 2, 4, gated=True),
        cna(40, 240, 1), head(240),
    )  # fmt: skip


def inception() -> nn.Module:
    """Szegedy et al. 2015: branches of several kernels; 1×7 and 7×1 without activation between."""

    def module(width: int) -> nn.Module:
        pair = [
            nn.Conv2d(48, 64, (1, 7), padding=(0, 3)),
            nn.Conv2d(64, 64, (7, 1), padding=(3, 0)),
        ]
        return Cat(
            cna(width, 64, 1),
            nn.Sequential(cna(width, 48, 1), *pair, nn.ReLU()),
            nn.Sequential(nn.AvgPool2d(3, 1, 1), cna(width, 32, 1)),
        )

    stem = [cna(3, 32, stride=2), cna(32, 64), nn.MaxPool2d(3, 2)]
    return nn.Sequential(*stem, module(64), nn.MaxPool2d(3, 2), module(160), head(160))


def densenet() -> nn.Module:
    """Huang et al. 2017: norm and activation first; what was concatenated is read again."""

    def layer(width: int) -> nn.Module:
        conv1, conv2 = nn.Conv2d(width, 48, 1, bias=False), nn.Conv2d(48, 16, 3, 1, 1, bias=False)
        inner = [nn.BatchNorm2d(width), nn.ReLU(), conv1, nn.BatchNorm2d(48), nn.ReLU(), conv2]
        return Cat(nn.Identity(), nn.Sequential(*inner))

    def transition(width: int) -> list[nn.Module]:
        conv = nn.Conv2d(width, width // 2, 1, bias=False)
        return [nn.BatchNorm2d(width), nn.ReLU(), conv, nn.AvgPool2d(2)]

    parts = [nn.Conv2d(3, 32, 3, padding=1, bias=False), layer(32), layer(48), *transition(64)]
    return nn.Sequential(*parts, layer(32), layer(48), nn.BatchNorm2d(64), nn.ReLU(), head(64))


class ChannelsLast(nn.Module):
    """ConvNeXt's block: depthwise 7×7, layer norm over channels, two dense layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.down(nn.functional.gelu(self.up(y)))
        return x + y.permute(0, 3, 1, 2)


def convnext() -> nn.Module:
    """Liu et al. 2022: patchify stem, group norm as its norm between stages."""
    parts: list[nn.Module] = [nn.Conv2d(3, 32, 4, 4), nn.GroupNorm(1, 32), ChannelsLast(32)]
    for width in (32, 64):
        parts += [
            nn.GroupNorm(1, width),
            nn.Conv2d(width, 2 * width, 2, 2),
            ChannelsLast(2 * width),
        ]
    return nn.Sequential(
        *parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(128), nn.Linear(128, 10)
    )


class PreActivation(nn.Module):
    """He et al. 2016: the projection reads what the branch reads, one pixel of four."""

    def __init__(self, given: int, out: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(given), nn.BatchNorm2d(out)
        self.conv1 = nn.Conv2d(given, out, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.project = nn.Conv2d(given, out, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm1(x).relu()
        return self.project(x) + self.conv2(self.norm2(self.conv1(x)).relu())


def preactivation() -> nn.Module:
    blocks = [PreActivation(16, 32, 2), PreActivation(32, 64, 2)]
    stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
    return nn.Sequential(stem, *blocks, nn.BatchNorm2d(64), nn.ReLU(), head(64))


class UNet(nn.Module):
    """Ronneberger et al. 2015: ends in a map; up-convolutions; skips by concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([cna(3, 16), cna(16, 32), cna(32, 64), cna(64, 128)])
        ups = [nn.ConvTranspose2d(a, a // 2, 2, 2) for a in (128, 64, 32)]
        self.up, self.mix = (
            nn.ModuleList(ups),
            nn.ModuleList([cna(128, 64), cna(64, 32), cna(32, 16)]),
        )
        self.last = nn.Conv2d(16, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for number, down in enumerate(self.down):
            x = down(x if number == 0 else nn.functional.max_pool2d(x, 2))
            kept.append(x)
        for up, mix, skip in zip(self.up, self.mix, kept[-2::-1], strict=True):
            x = mix(torch.cat([skip, up(x)], 1))
        return self.last(x)


class AutoEncoder(nn.Module):
    """Everything behind its bottleneck sees the whole image, and has its work to do."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            *[cna(a, b, 3, 2) for a, b in ((3, 16), (16, 32), (32, 64), (64, 64))]
        )
        self.decode = nn.ModuleList([cna(64, 64), cna(64, 32), cna(32, 16), cna(16, 16)])
        self.last = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.encode(x)
        for conv in self.decode:
            x = conv(interpolate(x, scale_factor=2))
        return self.last(x)


class VisionTransformer(nn.Module):
    """Dosovitskiy et al. 2021, small: linear layers around attention, norms and skips."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 64, 8, 8)
        self.position = nn.Parameter(torch.zeros(1, 16, 64))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(64, 4, 128, batch_first=True, norm_first=True)
            for _ in range(2)
        )
        self.norm, self.classify = nn.LayerNorm(64), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x)
        return self.classify(self.norm(x).mean(1))


DESIGNS: list[tuple[Callable[[], nn.Module], tuple[int, int, int]]] = [
    (lenet5, (1, 28, 28)),
    (mobilenet_v1, (3, 224, 224)),
    (mobilenet_v2, (3, 224, 224)),
    (mobilenet_v3, (3, 224, 224)),
    (inception, (3, 101, 101)),
    (densenet, (3, 32, 32)),
    (convnext, (3, 96, 96)),
    (preactivation, (3, 32, 32)),
    (UNet, (3, 64, 64)),
    (AutoEncoder, (3, 32, 32)),
    (VisionTransformer, (3, 32, 32)),
]


@pytest.mark.parametrize(("make", "image"), DESIGNS, ids=[make.__name__ for make, _ in DESIGNS])
def test_well_known_designs_are_silent(
    make: Callable[[], nn.Module], image: tuple[int, int, int]
) -> None:
    traced = trace(make, image)
    assert traced.complete, traced.failure
    assert check(traced) == []
