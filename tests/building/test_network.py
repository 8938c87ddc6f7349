"""Built networks against their Archs, their papers and their own arithmetic written out again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from striate.arch import (
    Arch,
    adapt,
    channels,
    from_dict,
    map_sizes,
    plain_twin,
    zoo,
    zoo_costs,
    zoo_names,
)
from striate.arch.kinds import KINDS
from striate.arch.literals import literals
from striate.building import Network, build
from striate.errors import ArchError

CalledWith = Callable[[nn.Module], dict[tuple[str, str], object]]


def params(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def network(stages: list[dict[str, Any]], **keys: Any) -> Arch:
    data = {"name": "n", "image": [3, 16, 16], "classes": 5, "stages": stages, **keys}
    return from_dict(data)


def randomise(module: nn.Module) -> nn.Module:
    """Every weight and statistic at random, so that nothing is hidden by a 0 or a 1."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                scale = 0.5 if tensor.dim() == 1 else 1 / tensor[0].numel() ** 0.5
                tensor.normal_(0, scale, generator=generator)
                if name.endswith(("norm.weight", "running_var")) or ".norm" in name:
                    tensor.abs_().add_(0.5)
    return module.double().eval()


@pytest.mark.parametrize("name", zoo_names())
def test_parameters_are_those_of_the_cost_table(name: str) -> None:
    assert params(build(zoo(name), device="meta")) == zoo_costs()[name].params


@pytest.mark.parametrize(
    "name", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "vgg16"]
)
def test_parameters_are_the_published_ones(name: str, shared: Path) -> None:
    rows = json.loads((shared / "facts" / "networks.json").read_text())["rows"]
    assert params(build(zoo(name), device="meta")) == rows[name]["params"]


def test_the_mlps_first_weight_has_150_million_elements() -> None:
    first = next(build(zoo("mlp"), device="meta").parameters())
    assert first.shape == (1000, 3 * 224 * 224)
    assert first.numel() == 150_528_000


def test_names_can_be_read() -> None:
    names = list(build(zoo("resnet50"), device="meta").state_dict())
    for name in (
        "stem.conv.weight",
        "stem.norm.running_mean",
        "stages.0.blocks.0.shortcut.conv.weight",
        "stages.2.blocks.5.conv2.weight",
        "stages.3.blocks.2.norm3.bias",
        "head.linear.weight",
    ):
        assert name in names
    names = list(build(zoo("vgg16"), device="meta").state_dict())
    assert names[:2] == ["stages.0.blocks.0.conv.weight", "stages.0.blocks.0.conv.bias"]
    assert names[-6:] == [
        f"head.{part}.{kind}"
        for part in ("hidden.0.linear", "hidden.1.linear", "linear")
        for kind in ("weight", "bias")
    ]


class Weights:
    """A state_dict, and the functional operations with the weights of a path."""

    def __init__(self, module: nn.Module) -> None:
        self.state = module.state_dict()

    def conv(self, path: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = self.state[f"{path}.weight"]
        bias = self.state.get(f"{path}.bias")
        return F.conv2d(x, weight, bias, stride=stride, padding=weight.shape[-1] // 2)

    def norm(self, path: str, x: Tensor) -> Tensor:
        mean, var, weight, bias = (
            self.state[f"{path}.{key}"][:, None, None]
            for key in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    def linear(self, path: str, x: Tensor) -> Tensor:
        return x @ self.state[f"{path}.weight"].T + self.state[f"{path}.bias"]


def residual_by_hand(weights: Weights, arch: Arch, x: Tensor) -> Tensor:
    """A ResNet of He et al. 2015 with none of the building room's code."""
    x = F.relu(weights.norm("stem.norm", weights.conv("stem.conv", x, arch.stem.stride)))  # pyright: ignore[reportOptionalMemberAccess] - every ResNet has a stem
    if arch.stem is not None and arch.stem.pool is not None:
        x = F.max_pool2d(x, 3, 2, 1)
    for number, stage in enumerate(arch.stages):
        for index in range(stage.depth):
            path = f"stages.{number}.blocks.{index}"
            stride = stage.stride if index == 0 else 1
            strides = (1, stride, 1) if stage.block == "bottleneck" else (stride, 1)
            out = x
            for layer, step in enumerate(strides, 1):
                out = weights.norm(
                    f"{path}.norm{layer}", weights.conv(f"{path}.conv{layer}", out, step)
                )
                out = out if layer == len(strides) else out.clamp(min=0)
            if stage.residual:
                skip = x
                if f"{path}.shortcut.conv.weight" in weights.state:
                    skip = weights.conv(f"{path}.shortcut.conv", x, stride)
                    skip = weights.norm(f"{path}.shortcut.norm", skip)
                elif out.shape != x.shape:
                    skip = torch.zeros_like(out)
                    skip[:, : x.shape[1]] = x[:, :, ::stride, ::stride]
                out = out + skip
            x = out.clamp(min=0)
    return weights.linear("head.linear", x.mean(dim=(2, 3)))


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet20", "plain20"])
def test_logits_are_those_of_the_paper_written_out_by_hand(name: str) -> None:
    arch = adapt(zoo(name), image=(3, 45, 38), classes=7)  # odd sizes: rounding up is tested too
    built = randomise(build(arch))
    x = torch.randn(2, *arch.image, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = built(x)
        by_hand = residual_by_hand(Weights(built), arch, x)
    assert ours.std() > 1e-3
    torch.testing.assert_close(ours, by_hand, rtol=1e-9, atol=1e-9)


def test_vgg_logits_are_those_of_the_paper_written_out_by_hand() -> None:
    rows = [{"block": "conv", "depth": d, "width": w, "pool": {}} for d, w in ((2, 4), (1, 6))]
    arch = network(rows, norm="none", head={"size": 2, "hidden": [9, 8], "dropout": 0.5})
    built = randomise(build(arch))
    weights = Weights(built)
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    out = x
    for number, depth in enumerate((2, 1)):
        for index in range(depth):
            out = F.relu(weights.conv(f"stages.{number}.blocks.{index}.conv", out))
        out = F.max_pool2d(out, 2)
    out = F.avg_pool2d(out, 2).flatten(1)  # 4 × 4 → 2 × 2
    for layer in range(2):
        out = F.relu(weights.linear(f"head.hidden.{layer}.linear", out))
    out = weights.linear("head.linear", out)
    torch.testing.assert_close(built(x), out, rtol=1e-9, atol=1e-9)


def test_mlp_logits_are_two_matrix_products() -> None:
    arch = adapt(zoo("mlp"), image=(3, 5, 4), classes=6)
    built = randomise(build(arch))
    weights = Weights(built)
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    hidden = weights.linear("stages.0.blocks.0.linear", x.reshape(2, 60)).clamp(min=0)
    torch.testing.assert_close(built(x), weights.linear("head.linear", hidden))


def test_a_twin_has_neither_sum_nor_shortcut() -> None:
    arch = adapt(zoo("resnet18"), image=(3, 32, 32))
    twin = build(plain_twin(arch), device="meta")
    residual = build(arch, device="meta")
    gone = set(residual.state_dict()) - set(twin.state_dict())
    assert gone == {name for name in residual.state_dict() if ".shortcut." in name}
    assert gone
    # The paper's 34-layer pair differ by the projections alone.
    kept = {name: value.shape for name, value in twin.state_dict().items()}
    assert kept == {
        name: value.shape for name, value in residual.state_dict().items() if name not in gone
    }


MAPS = [name for name, kind in KINDS.items() if kind.on == "map"]
pools = st.fixed_dictionaries(
    {},
    optional={"kind": st.sampled_from(["max", "avg"]), "kernel": st.just(3), "padding": st.just(1)},
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "stride": st.integers(1, 3),
    "kernel": st.integers(1, 4),
    "padding": st.integers(0, 2),
    "dilation": st.integers(1, 2),
    "groups": st.sampled_from([1, 2]),
    "squeeze": st.sampled_from([0.25]),
    "expansion": st.sampled_from([1.0, 2.0]),
    "layer_scale": st.sampled_from([0.1]),
    "transition": st.sampled_from([0.5]),
    "skip": st.just(False),
    "pool": pools,
}


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    block = draw(st.sampled_from(MAPS))
    taken = {key: VALUES[key] for key in KINDS[block].keys if key in VALUES}
    fixed = {"depth": st.integers(1, 2), "width": st.sampled_from([4, 8])}
    row = draw(st.fixed_dictionaries({"block": st.just(block), **fixed}, optional=taken))
    if "shortcut" in KINDS[block].keys and draw(st.booleans()):
        row["shortcut"] = "pad"
    return row


@st.composite
def archs(draw: st.DrawFn) -> Arch:
    stages = draw(st.lists(rows(), min_size=1, max_size=3))
    keys = st.fixed_dictionaries(
        {"image": st.tuples(st.just(4), st.integers(4, 40), st.integers(4, 40))},
        optional={
            "norm": st.sampled_from(["batch", "group", "layer", "channel", "none"]),
            "activation": st.sampled_from(["relu", "relu6", "gelu", "silu", "tanh"]),
            "preact": st.just(all(row["block"] in ("basic", "bottleneck") for row in stages)),
            "stem": st.just({"width": 4, "kernel": 5, "stride": 2, "pool": {}}),
            "head": st.sampled_from(
                [
                    {"pool": "none"},
                    {"size": 2},
                    {"pool": "max"},
                    {"hidden": [7], "dropout": 0.5},
                    {"width": 12, "norm": "map", "activation": True},
                    {"norm": "pooled"},
                ]
            ),
        },
    )
    try:
        return network(stages, **draw(keys))
    except ArchError:
        assume(False)
        raise


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # the fixture is a function without state
@given(arch=archs())
def test_any_arch_is_built_with_the_maps_its_arithmetic_says(
    called_with: CalledWith, arch: Arch
) -> None:
    built = build(arch, device="meta")
    x = torch.empty(2, *arch.image, device="meta")
    expected = map_sizes(arch)
    maps = built.stage_maps(x)
    assert [tuple(m.shape[-2:]) for m in maps.values()] == expected[0 if arch.stem else 1 :]
    widths = channels(arch)
    assert [m.shape[1] for m in maps.values()] == widths[0 if arch.stem else 1 :]
    assert built(x).shape == (2, arch.classes)
    assert literals(arch) == called_with(built)


@pytest.mark.parametrize("pool", ["token", "avg"])
@pytest.mark.parametrize("scale", [0.0, 0.5])
def test_tokens_behind_convolutions(called_with: CalledWith, pool: str, scale: float) -> None:
    """A map becomes tokens once, whatever made it, and is laid out again to be looked at."""
    arch = network(
        [{"block": "basic", "depth": 1, "width": 8, "stride": 2},
         {"block": "transformer", "depth": 1, "width": 8, "heads": 2, "layer_scale": scale},
         {"block": "transformer", "depth": 2, "width": 8, "heads": 4, "skip": False}],
        head={"pool": pool, "norm": "map"},
    )  # fmt: skip
    built = build(arch).eval()
    maps = built.stage_maps(torch.randn(2, 3, 16, 16))
    assert [tuple(m.shape) for m in maps.values()] == [(2, 8, 8, 8)] * 3
    assert map_sizes(arch) == [(16, 16), (8, 8), (8, 8), (8, 8)]
    assert built(torch.randn(2, 3, 16, 16)).shape == (2, 5)
    assert sum(name.endswith("positions") for name, _ in built.named_parameters()) == 1
    assert literals(arch) == called_with(built)


def test_stage_maps_are_named_by_their_modules() -> None:
    built = build(adapt(zoo("resnet20"), image=(3, 8, 8))).eval()
    x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    maps = built.stage_maps(x)
    assert list(maps) == ["stem", "stages.0", "stages.1", "stages.2"]
    torch.testing.assert_close(built.head(maps["stages.2"]), built(x))


def test_every_parameter_takes_part() -> None:
    rows = [{"block": block, "depth": 2, "width": 4, "squeeze": 0.5, "stride": 2}
            for block in ("conv", "basic", "bottleneck", "inverted", "fused")]  # fmt: skip
    arch = network([*rows, {"block": "dense", "depth": 2, "width": 6}],
                   head={"pool": "none", "hidden": [5]}, activation="tanh")  # fmt: skip
    built = build(arch)
    built(
        torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    ).square().sum().backward()
    for name, parameter in built.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0 or name.endswith(".bias"), name


def test_a_network_that_cannot_be_is_refused_before_it_is_built() -> None:
    arch = zoo("vgg16").model_copy(update={"image": (3, 16, 16)})  # which pydantic does not check
    with pytest.raises(ArchError, match=r"^vgg16: stage 5 would make a 0x0 map from 1x1"):
        Network(arch)
