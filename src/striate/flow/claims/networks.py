"""Parameters and multiply-accumulates of the zoo's networks, against the published tables.

Comes in: figures that others published.  Goes out: the groups ``params`` and ``macs``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from striate.flow.claims.claim import Claim, Group, Tick

TORCHVISION = "torchvision 0.29, table of its weights"
HE = "He et al. 2015, Deep residual learning, table 6"
PREACT = "He et al. 2016, Identity mappings, table 4"
WIDE = "Zagoruyko and Komodakis 2016, Wide residual networks, table 5"
TIMM = "timm, table of its results on ImageNet"


@dataclass(frozen=True, kw_only=True)
class Published:
    """``params``: the figure as printed, in ones; ``step``: one unit of its last digit (1: exact).

    ``macs`` and ``macs_step`` likewise; None where the source prints none for this network.
    """

    name: str
    source: str
    params: float | None = None
    step: float = 1.0
    macs: float | None = None
    macs_step: float = 1e6


def _exact(name: str, params: int, gmacs: float) -> Published:
    """A row of torchvision's table: parameters exact, MACs to a thousandth of a billion."""
    return Published(name=name, source=TORCHVISION, params=params, macs=gmacs * 1e9)


def _millions(name: str, params: float, digits: int, source: str) -> Published:
    """Parameters in millions, with so many digits behind the point."""
    return Published(name=name, source=source, params=params * 1e6, step=10.0 ** (6 - digits))


PUBLISHED: tuple[Published, ...] = (
    _exact("alexnet", 61_100_840, 0.714),
    _exact("vgg11", 132_863_336, 7.609),
    _exact("vgg13", 133_047_848, 11.308),
    _exact("vgg16", 138_357_544, 15.470),
    _exact("vgg19", 143_667_240, 19.632),
    _exact("vgg11_bn", 132_868_840, 7.609),
    _exact("vgg13_bn", 133_053_736, 11.308),
    _exact("vgg16_bn", 138_365_992, 15.470),
    _exact("vgg19_bn", 143_678_248, 19.632),
    _exact("resnet18", 11_689_512, 1.814),
    _exact("resnet34", 21_797_672, 3.664),
    _exact("resnet50", 25_557_032, 4.089),
    _exact("resnet101", 44_549_160, 7.801),
    _exact("resnet152", 60_192_808, 11.514),
    _exact("resnext50_32x4d", 25_028_904, 4.230),
    _exact("resnext101_32x8d", 88_791_336, 16.414),
    _exact("wide_resnet50_2", 68_883_240, 11.398),
    _exact("wide_resnet101_2", 126_886_696, 22.753),
    _exact("densenet121", 7_978_856, 2.834),
    _exact("densenet169", 14_149_480, 3.360),
    _exact("densenet201", 20_013_928, 4.291),
    _exact("mobilenetv2", 3_504_872, 0.301),
    _exact("efficientnet_b0", 5_288_548, 0.386),
    _exact("efficientnet_b1", 7_794_184, 0.687),
    Published(name="efficientnet_b2", source=TORCHVISION, params=9_109_994),
    _exact("efficientnet_b3", 12_233_232, 1.827),
    _exact("efficientnet_b4", 19_341_616, 4.394),
    _exact("efficientnet_b5", 30_389_784, 10.266),
    _exact("efficientnet_b6", 43_040_704, 19.068),
    _exact("efficientnet_b7", 66_347_960, 37.746),
    _exact("efficientnetv2_s", 21_458_488, 8.366),
    _exact("convnext_tiny", 28_589_128, 4.456),
    _exact("convnext_small", 50_223_688, 8.684),
    _exact("convnext_base", 88_591_464, 15.355),
    _exact("convnext_large", 197_767_336, 34.361),
    _exact("vit_base_patch16", 86_567_656, 17.564),
    _exact("vit_large_patch16", 304_326_632, 61.555),
    _millions("vit_small_patch16", 22.05, 2, TIMM),
    _millions("deit_tiny_patch16", 5.72, 2, TIMM),
    _millions("deit_small_patch16", 22.05, 2, TIMM),
    _millions("seresnet50", 28.09, 2, TIMM),
    _millions("resnet20", 0.27, 2, HE),
    _millions("resnet32", 0.46, 2, HE),
    _millions("resnet44", 0.66, 2, HE),
    _millions("resnet56", 0.85, 2, HE),
    _millions("resnet110", 1.7, 1, HE),
    _millions("preact_resnet110", 1.7, 1, PREACT),
    _millions("preact_resnet164", 1.7, 1, PREACT),
    _millions("wide_resnet28_10", 36.5, 1, WIDE),
    _millions("wide_resnet40_4", 8.9, 1, WIDE),
)
"""Each figure as its source prints it; what rounds to it holds."""


def _claims(kind: str) -> tuple[Claim, ...]:
    found: list[Claim] = []
    for row in PUBLISHED:
        claimed, step = (row.params, row.step) if kind == "params" else (row.macs, row.macs_step)
        if claimed is not None:
            what = "parameters" if kind == "params" else "multiply-accumulates for one image"
            found.append(
                Claim(
                    name=row.name,
                    what=f"{row.name}: {what}",
                    source=row.source,
                    claimed=claimed,
                    tolerance=0.0 if step == 1 else step * 0.5,
                    unit=kind,
                )
            )
    return tuple(found)


@cache
def _counted(name: str) -> tuple[int, int]:
    """(parameters, MACs) of a network of the zoo, by tracing it at its own size."""
    from striate.arch import zoo
    from striate.flow.network import traced

    arch = zoo(name)
    totals = traced(arch, arch.image).totals
    return totals.params, totals.macs


def _params(names: Sequence[str], tick: Tick) -> Iterator[tuple[str, float]]:
    for done, name in enumerate(names):
        tick(done, len(names))
        yield name, float(_counted(name)[0])


def _macs(names: Sequence[str], tick: Tick) -> Iterator[tuple[str, float]]:
    for done, name in enumerate(names):
        tick(done, len(names))
        yield name, float(_counted(name)[1])


PARAMS = Group(
    name="params",
    what="parameters of the zoo's networks, traced",
    claims=_claims("params"),
    measure=_params,
)
MACS = Group(
    name="macs",
    what="multiply-accumulates of the zoo's networks, traced",
    claims=_claims("macs"),
    measure=_macs,
)
