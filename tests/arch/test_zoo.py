"""The zoo against the papers: parameters counted from their tables, costs as published."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from striate.arch import map_sizes, small_form, zoo, zoo_costs, zoo_names
from striate.errors import ArchError

CIFAR = (20, 32, 44, 56, 110)


def conv(kernel: int, channels_in: int, channels_out: int) -> int:
    """A convolution without bias, and its batch norm."""
    return kernel * kernel * channels_in * channels_out + 2 * channels_out


def cifar_resnet(layers: int) -> int:
    """He et al. 2015, section 4.2, option A: 6n + 2 weighted layers, no shortcut parameters."""
    n = (layers - 2) // 6
    total, before = conv(3, 3, 16), 16
    for width in (16, 32, 64):
        for _ in range(n):
            total += conv(3, before, width) + conv(3, width, width)
            before = width
    return total + 64 * 10 + 10


def imagenet_resnet(depths: tuple[int, ...], *, bottleneck: bool) -> int:
    """He et al. 2015, table 1, with projections where shapes change."""
    total, before = conv(7, 3, 64), 64
    for inner, depth in zip((64, 128, 256, 512), depths, strict=True):
        width = 4 * inner if bottleneck else inner
        for index in range(depth):
            if bottleneck:
                total += conv(1, before, inner) + conv(3, inner, inner) + conv(1, inner, width)
            else:
                total += conv(3, before, inner) + conv(3, inner, width)
            if index == 0 and before != width:
                total += conv(1, before, width)
            before = width
    return total + before * 1000 + 1000


def vgg16() -> int:
    """Simonyan and Zisserman 2014, table 1, column D: weights and biases."""
    total, before = 0, 3
    for width in (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512):
        total += 9 * before * width + width
        before = width
    for features, units in ((512 * 7 * 7, 4096), (4096, 4096), (4096, 1000)):
        total += features * units + units
    return total


FROM_PAPERS = {
    "mlp": 150_528 * 1000 + 1000 + 1000 * 1000 + 1000,
    **{f"resnet{layers}": cifar_resnet(layers) for layers in CIFAR},
    **{f"plain{layers}": cifar_resnet(layers) for layers in CIFAR if layers != 110},
    "resnet18": imagenet_resnet((2, 2, 2, 2), bottleneck=False),
    "resnet34": imagenet_resnet((3, 4, 6, 3), bottleneck=False),
    "resnet50": imagenet_resnet((3, 4, 6, 3), bottleneck=True),
    "resnet101": imagenet_resnet((3, 4, 23, 3), bottleneck=True),
    "resnet152": imagenet_resnet((3, 8, 36, 3), bottleneck=True),
    "vgg16": vgg16(),
}


def test_every_entry_has_the_parameters_of_its_papers_table() -> None:
    costs = zoo_costs()
    assert {name: costs[name].params for name in FROM_PAPERS} == FROM_PAPERS
    assert tuple(costs) == zoo_names()


def preact_bottleneck(layers: int) -> int:
    """He et al. 2016: 9n + 2 weighted layers in bottlenecks of 64, 128 and 256 channels."""
    n = (layers - 2) // 9
    total, before = 9 * 3 * 16, 16
    for width in (64, 128, 256):
        inner = width // 4
        for index in range(n):
            total += 2 * before + before * inner + 2 * inner + 9 * inner * inner
            total += 2 * inner + inner * width
            if index == 0:
                total += before * width
            before = width
    return total + 2 * before + before * 10 + 10


def wide(depth: int, k: int) -> int:
    """Zagoruyko and Komodakis 2016, table 1, in the order norm, activation, convolution."""
    n = (depth - 4) // 6
    total, before = 9 * 3 * 16, 16
    for width in (16 * k, 32 * k, 64 * k):
        for _ in range(n):
            total += 2 * before + 9 * before * width + 2 * width + 9 * width * width
            total += before * width if before != width else 0
            before = width
    return total + 2 * before + before * 10 + 10


def test_preactivation_forms_against_their_tables() -> None:
    costs = zoo_costs()
    for layers in (164, 1001):
        assert costs[f"preact_resnet{layers}"].params == preact_bottleneck(layers)
    for depth, k in ((16, 4), (28, 10), (40, 4)):
        assert costs[f"wide_resnet{depth}_{k}"].params == wide(depth, k)
    # He et al. 2016 and Zagoruyko and Komodakis 2016, as they round them
    assert round(costs["preact_resnet164"].params / 1e6, 1) == 1.7
    assert round(costs["preact_resnet1001"].params / 1e6, 1) == 10.3
    assert round(costs["wide_resnet28_10"].params / 1e6, 1) == 36.5


def test_airbench_against_its_listing() -> None:
    """Jordan 2024, section 3.1; every norm has a scale here, and the last layer a bias."""
    filters, before = 3 * 24 * 4 + 24, 24
    for width in (64, 256, 256):
        filters += 9 * before * width + 9 * width * width
        before = width
    norms = 2 * 2 * (64 + 256 + 256)
    assert zoo_costs()["airbench94"].params == filters + norms + 256 * 10 + 10


def test_known_integers() -> None:
    assert zoo_costs()["resnet20"].params == 269_722
    assert zoo_costs()["resnet110"].params == 1_727_962
    assert zoo_costs()["resnet50"].params == 25_557_032


def test_costs_are_the_published_ones(shared: Path) -> None:
    rows = json.loads((shared / "facts" / "networks.json").read_text())["rows"]
    published = {name: fact for name, fact in rows.items() if not name.endswith("_cifar")}
    assert len(published) >= 22
    for name, fact in published.items():
        cost = zoo_costs()[name]
        assert cost.image == (3, fact["image"], fact["image"]) == zoo(name).image
        assert cost.params == fact["params"]
        for value, key, unit in (
            (cost.macs, "gmacs", 1e9),
            (cost.activations, "acts_m", 1e6),
        ):
            digits = len(str(fact[key]).partition(".")[2])  # as many as are published
            assert abs(value / unit - fact[key]) <= 0.5001 * 10**-digits, (name, key)


def test_the_widest_cifar_form_is_the_published_one(shared: Path) -> None:
    rows = json.loads((shared / "facts" / "networks.json").read_text())["rows"]
    fact, cost = rows["wide_resnet28_10_cifar"], zoo_costs()["wide_resnet28_10"]
    assert abs(cost.params - fact["params_rounded"]) < 50_000
    assert round(cost.macs / 1e9, 2) == fact["gmacs_rounded"]


@pytest.mark.parametrize("layers", CIFAR)
def test_cifar_forms_round_to_the_papers_table_6(layers: int, shared: Path) -> None:
    rows = json.loads((shared / "facts" / "networks.json").read_text())["rows"]
    published = rows[f"resnet{layers}_cifar"]["params_rounded"]
    unit = 10_000 if published < 1e6 else 100_000
    assert abs(zoo_costs()[f"resnet{layers}"].params - published) < unit


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "vgg16"])
def test_fields_are_the_published_ones(name: str, shared: Path) -> None:
    rows = json.loads((shared / "facts" / "fields.json").read_text())["rows"]
    assert zoo_costs()[name].field_px == rows[name]["size"]


def test_the_mlp_has_no_field() -> None:
    assert zoo_costs()["mlp"].field_px is None


def test_maps_are_those_of_the_papers() -> None:
    assert map_sizes(zoo("resnet110")) == [(32, 32), (32, 32), (16, 16), (8, 8)]
    assert map_sizes(zoo("resnet152")) == [(56, 56), (56, 56), (28, 28), (14, 14), (7, 7)]


@pytest.mark.parametrize("family", ["resnet", "plain", "preact_resnet"])
def test_depth_counts_weighted_layers(family: str) -> None:
    named = [name for name in zoo_names() if name.removeprefix(family).isdigit()]
    assert len(named) >= 4
    for name in named:
        layers = sum(s.depth * (3 if s.block == "bottleneck" else 2) for s in zoo(name).stages)
        assert name.removeprefix(family) == str(layers + 2)


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(ArchError) as caught:
        zoo("resnet-18")
    assert str(caught.value) == "no network 'resnet-18' in the zoo; did you mean resnet18?"
    with pytest.raises(ArchError) as caught:
        zoo("yolo")
    assert str(caught.value).startswith("no network 'yolo' in the zoo; choose from mlp, lenet5, ")


def test_nothing_here_loads_torch() -> None:
    code = (
        "import sys; from striate import arch; arch.zoo_costs(); arch.to_toml(arch.zoo('mlp'));"
        "arch.json_schema(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_small_forms_keep_every_pixel() -> None:
    for name in zoo_names():
        arch, small = zoo(name), zoo(f"{name}-small")
        assert small == small_form(arch) == zoo(name, small=True)
        assert small.image[1:] == (32, 32)
        assert small.name == f"{name}-small"
        assert [stage.depth for stage in small.stages] == [stage.depth for stage in arch.stages]
        if small.stem is None or arch.stem is None:
            continue
        assert small.stem.pool is None
        cut = arch.stem.kernel == arch.stem.stride
        assert small.stem.stride == (max(1, arch.stem.stride // 4) if cut else 1)
    assert map_sizes(zoo("resnet50-small"))[-1] == (4, 4)
    assert map_sizes(zoo("vit_base_patch16-small"))[-1] == (8, 8)
    assert zoo("vgg16-small").head.size == 1
