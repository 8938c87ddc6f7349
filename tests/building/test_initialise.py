"""Fresh weights: a pure function of (seed, name), with the spread their papers ask for."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from striate.arch import adapt, from_dict, plain_twin, zoo
from striate.building import build, initialise


def test_weights_are_a_function_of_the_seed() -> None:
    arch = zoo("resnet20")
    first, again, other = (build(arch, seed=seed).state_dict() for seed in (1, 1, 2))
    for name, weights in first.items():
        assert torch.equal(weights, again[name])
        if weights.dim() > 1:
            assert not torch.equal(weights, other[name]), name


@pytest.mark.parametrize("seed", [-1, 0, 2**64 + 5])
def test_any_integer_is_a_seed(seed: int) -> None:
    arch = adapt(zoo("resnet20"), image=(3, 8, 8))
    same = build(arch, seed=seed % 2**64).state_dict()
    for name, weights in build(arch, seed=seed).state_dict().items():
        assert torch.equal(weights, same[name])


def test_weights_depend_on_their_own_name_alone() -> None:
    """A deeper network, and one without skips, start with the same weights where names agree."""
    short = build(zoo("resnet20"), seed=7).state_dict()
    for other in (zoo("resnet32"), plain_twin(zoo("resnet20"))):
        weights = build(other, seed=7).state_dict()
        common = short.keys() & weights.keys()
        assert len(common) > 100
        for name in common:
            assert torch.equal(short[name], weights[name]), name


def test_equal_shapes_have_different_weights() -> None:
    weights = build(zoo("resnet20"), seed=0).state_dict()
    pair = [weights[f"stages.0.blocks.{index}.conv1.weight"] for index in (1, 2)]
    assert not torch.equal(*pair)


def test_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state()
    one = build(zoo("resnet20"), seed=3).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(12)
    for name, weights in build(zoo("resnet20"), seed=3).state_dict().items():
        assert torch.equal(weights, one[name])


def test_on_meta_there_are_shapes_and_no_weights() -> None:
    for network in (
        build(zoo("mlp"), device="meta"),
        build(zoo("mlp"), device=torch.device("meta")),
    ):
        assert all(parameter.is_meta for parameter in network.parameters())
    with torch.device("meta"):
        assert build(zoo("mlp")).head.linear.weight.is_meta
        assert not build(zoo("resnet20"), device="cpu").head.linear.weight.is_meta


def test_spread_is_he_fan_out_and_the_papers() -> None:
    rows = [
        {"block": "conv", "depth": 1, "width": 256, "kernel": 5},
        {"block": "bottleneck", "depth": 1, "width": 256, "expansion": 1, "groups": 8},
        {"block": "dense", "depth": 2, "width": 300},
    ]
    data = {"name": "n", "image": [32, 8, 8], "classes": 400, "stages": rows}
    network = build(from_dict(data | {"head": {"pool": "none"}}))
    expected = {
        "stages.0.blocks.0.conv.weight": math.sqrt(2 / (25 * 256)),
        "stages.1.blocks.0.conv1.weight": math.sqrt(2 / 256),
        "stages.1.blocks.0.conv2.weight": math.sqrt(2 / (9 * 256 / 8)),
        "stages.2.blocks.0.linear.weight": math.sqrt(2 / (256 * 64)),
        "stages.2.blocks.1.linear.weight": math.sqrt(2 / 300),
        "head.linear.weight": 0.01,
    }
    for name, std in expected.items():
        weights = network.get_parameter(name)
        standard_error = std / math.sqrt(2 * weights.numel())
        assert abs(weights.std().item() - std) < 5 * standard_error, name
        assert abs(weights.mean().item()) < 5 * std / math.sqrt(weights.numel()), name
    tanh = build(from_dict(data | {"head": {"pool": "none"}, "activation": "tanh"}))
    gain = tanh.stages[0].blocks[0].conv.weight / network.stages[0].blocks[0].conv.weight
    torch.testing.assert_close(gain, torch.full_like(gain, 5 / 3 / math.sqrt(2)))


@pytest.mark.parametrize("norm", ["batch", "group", "layer"])
def test_norms_start_as_identities(norm: str) -> None:
    rows = [{"block": "basic", "depth": 1, "width": 8, "squeeze": 0.5}]
    data = {
        "name": "n",
        "image": [3, 8, 8],
        "classes": 2,
        "stages": rows,
        "norm": norm,
        "bias": True,
    }
    network = build(from_dict(data))
    for name, tensor in network.state_dict().items():
        if (tensor.dim() == 1 and name.endswith("weight")) or name.endswith("running_var"):
            assert (tensor == 1).all(), name
        elif name.endswith(("bias", "running_mean", "num_batches_tracked")):
            assert (tensor == 0).all(), name


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_branch_that_starts_at_zero_leaves_its_input_as_it_is(name: str) -> None:
    arch = adapt(zoo(name), image=(3, 32, 32))
    assert arch.zero_init
    block = build(arch).stages[0].blocks[1]
    x = torch.rand(2, arch.stages[0].width, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(x), x)  # not negative, so that the activation changes nothing
    started = build(arch.model_copy(update={"zero_init": False})).stages[0].blocks[1]
    assert not torch.allclose(started(x), x)


def test_a_plain_block_does_not_start_at_zero() -> None:
    arch = plain_twin(zoo("resnet18")).model_copy(update={"zero_init": True})
    assert all(
        (p == 1).all() for n, p in build(arch).named_parameters() if n.endswith("norm2.weight")
    )


def test_signals_keep_their_size_through_a_plain_network() -> None:
    """What He et al. 2015b made it for: 20 layers without norm neither explode nor vanish."""
    row = {"block": "conv", "depth": 20, "width": 64}
    data = {"name": "n", "image": [64, 16, 16], "classes": 2, "stages": [row], "norm": "none"}
    network = build(from_dict(data))
    x = torch.randn(2, 64, 16, 16, generator=torch.Generator().manual_seed(0))
    ratio = network.stage_maps(x)["stages.0"].square().mean() / x.square().mean()
    assert 0.02 < ratio < 2  # the border's zeros take a little at every layer


def test_a_used_network_is_made_fresh_again() -> None:
    arch = adapt(zoo("resnet18"), image=(3, 32, 32))
    network = build(arch, seed=1)
    network(torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))).sum().backward()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += parameter.grad + 1
    initialise(network, seed=2, zero_init=True)
    fresh = build(arch, seed=2).state_dict()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, fresh[name]), name


def test_a_module_that_is_not_known_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^1: no initialisation is known for a PReLU$"):
        initialise(nn.Sequential(nn.Linear(2, 2), nn.PReLU()), seed=0)


class Allocations(TorchDispatchMode):
    """The bytes of every storage that an operation returns, each once."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, torch.UntypedStorage] = {}  # kept, so that no address comes twice

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            storage = out.untyped_storage()
            self.alive[storage.data_ptr()] = storage
        return out

    @property
    def total(self) -> int:
        return sum(storage.nbytes() for storage in self.alive.values())


@pytest.mark.parametrize("name", ["resnet18", "plain20"])
def test_weights_are_allocated_once(name: str) -> None:
    with Allocations() as allocated:
        network = build(zoo(name), device="cpu")
    tensors = network.state_dict().values()
    assert allocated.total == sum(tensor.untyped_storage().nbytes() for tensor in tensors)


def test_dirac_init_passes_on_what_comes_in() -> None:
    """Every convolution of a stage begins with filters that give their input back."""
    arch = zoo("airbench94")
    network = build(arch, seed=3)
    assert network.stem is not None
    rest = build(arch.model_copy(update={"dirac_init": False}), seed=3).state_dict()
    for name, weight in network.state_dict().items():
        if not name.endswith("conv.weight") or name.startswith("stem"):
            assert torch.equal(weight, rest[name]), name
            continue
        arriving = weight.shape[1]
        x = torch.randn(1, arriving, 5, 5, generator=torch.Generator().manual_seed(0))
        out = nn.functional.conv2d(x, weight, padding=1)
        assert torch.equal(out[:, :arriving], x), name
        assert torch.equal(weight[arriving:], rest[name][arriving:]), name


def test_dirac_init_is_in_each_group_and_leaves_what_narrows() -> None:
    rows = [
        {"block": "conv", "depth": 1, "width": 8, "groups": 2},
        {"block": "conv", "depth": 1, "width": 4},
    ]
    data = {"name": "grouped", "image": [4, 8, 8], "classes": 2, "stages": rows}
    network = build(from_dict({**data, "dirac_init": True}, where="test"))
    plain = build(from_dict(data, where="test"))
    x = torch.randn(1, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    grouped = network.stages[0].blocks[0].conv(x)
    assert torch.equal(grouped[:, [0, 1, 4, 5]], x)
    narrowing = "stages.1.blocks.0.conv.weight"
    assert torch.equal(network.state_dict()[narrowing], plain.state_dict()[narrowing])
