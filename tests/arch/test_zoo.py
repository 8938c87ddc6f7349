"""The zoo against the papers: parameters counted from their tables, costs as published."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from striate.arch import map_sizes, zoo, zoo_costs, zoo_names
from striate.errors import ArchError

IMAGENET = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "vgg16")
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
    assert {name: cost.params for name, cost in zoo_costs().items()} == FROM_PAPERS
    assert tuple(zoo_costs()) == zoo_names()


def test_known_integers() -> None:
    assert zoo_costs()["resnet20"].params == 269_722
    assert zoo_costs()["resnet110"].params == 1_727_962
    assert zoo_costs()["resnet50"].params == 25_557_032


@pytest.mark.parametrize("name", IMAGENET)
def test_costs_are_the_published_ones(name: str, shared: Path) -> None:
    fact = json.loads((shared / "facts" / "networks.json").read_text())["rows"][name]
    cost = zoo_costs()[name]
    assert cost.image == (3, fact["image"], fact["image"]) == zoo(name).image
    assert cost.params == fact["params"]
    digits = 2 if name == "vgg16" else 3  # as many as are published
    assert round(cost.macs / 1e9, digits) == fact["gmacs"]
    assert round(cost.activations / 1e6, 2) == fact["acts_m"]


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


def test_depth_counts_weighted_layers() -> None:
    for name in zoo_names():
        if name in ("mlp", "vgg16"):
            continue
        layers = sum(s.depth * (3 if s.block == "bottleneck" else 2) for s in zoo(name).stages)
        assert name.removeprefix("resnet").removeprefix("plain") == str(layers + 2)


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(ArchError) as caught:
        zoo("resnet-18")
    assert str(caught.value) == "no network 'resnet-18' in the zoo; did you mean resnet18?"
    with pytest.raises(ArchError) as caught:
        zoo("lenet")
    assert str(caught.value).startswith("no network 'lenet' in the zoo; choose from mlp, plain20, ")


def test_nothing_here_loads_torch() -> None:
    code = (
        "import sys; from striate import arch; arch.zoo_costs(); arch.to_toml(arch.zoo('mlp'));"
        "arch.json_schema(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
