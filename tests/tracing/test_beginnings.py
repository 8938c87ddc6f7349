"""A network built without its numbers is the one that would have been built with them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from striate.arch import zoo
from striate.building import build
from striate.tracing.beginnings import Beginnings, constants
from striate.tracing.prepare import made


class Written(nn.Module):
    """Numbers written in many ways, by functions of PyTorch's and by hand."""

    def __init__(self, write: Callable[[nn.Module], None]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4, 6))
        self.bias = nn.Parameter(torch.zeros(4))
        self.scale = nn.Parameter(0.5 * torch.ones(4))
        self.register_buffer("count", torch.tensor(3, dtype=torch.long))
        self.register_buffer("table", torch.arange(6.0))
        write(self)


def _fill(net: nn.Module) -> None:
    with torch.no_grad():
        net.weight.fill_(2.0).mul_(3.0)
        net.bias.add_(1.0)
        net.scale.zero_()


def _in_part(net: nn.Module) -> None:
    nn.init.zeros_(net.weight)
    with torch.no_grad():
        net.weight[0].fill_(1.0)
        net.bias.copy_(net.scale)


def _drawn(net: nn.Module) -> None:
    nn.init.kaiming_normal_(net.weight, mode="fan_out", nonlinearity="relu")
    nn.init.constant_(net.bias, -1.5)
    nn.init.uniform_(net.scale, -1, 1)


def _named(net: nn.Module) -> None:
    nn.init.constant_(val=7, tensor=net.bias)
    nn.init.kaiming_uniform_(tensor=net.weight, a=2)
    net.scale.data.fill_(value=0.25)


def _trunc(net: nn.Module) -> None:
    nn.init.trunc_normal_(net.weight, std=0.02)
    nn.init.xavier_uniform_(net.weight)
    nn.init.ones_(net.bias)
    net.scale.data = torch.full((4,), 1e-6)


@pytest.mark.parametrize(
    ("write", "known"),
    [
        (_fill, {"weight": 6.0, "scale": 0.0}),
        (_in_part, {"bias": 0.5, "scale": 0.5}),
        (_drawn, {"bias": -1.5}),
        (_named, {"bias": 7.0, "scale": 0.25}),
        (_trunc, {"bias": 1.0, "scale": 1e-6}),
    ],
)
def test_numbers_as_if_they_were_there(
    write: Callable[[nn.Module], None], known: dict[str, float]
) -> None:
    assert _heard(lambda: Written(write)) == {**known, "count": 3.0}


@pytest.mark.parametrize("name", ["resnet20", "convnext_tiny-small", "vit_small_patch16-small"])
def test_whole_networks(name: str) -> None:
    assert {0.0, 1.0} <= set(_heard(lambda: build(zoo(name))).values())


def _heard(make: Callable[[], nn.Module]) -> dict[str, float]:
    """What is heard of a network without numbers, held against the one with them."""
    heard = Beginnings()
    blank, _ = made(make, heard)
    real = make()
    there, here = _tensors(real), _tensors(blank)
    assert all(tensor.is_meta for tensor in here.values())
    assert {name: _kind(tensor) for name, tensor in here.items()} == {
        name: _kind(tensor) for name, tensor in there.items()
    }
    found = constants(here.items(), heard)
    for name, tensor in there.items():
        if name in found:
            numbers = tensor.detach().double().flatten().tolist()
            assert numbers == pytest.approx([found[name]] * len(numbers)), name
    return found


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _kind(tensor: Tensor) -> tuple[object, ...]:
    return tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.requires_grad


def test_what_pytorch_refuses_is_refused() -> None:
    def over_a_leaf() -> nn.Module:
        net = nn.Linear(2, 2)
        net.weight.fill_(1.0)
        return net

    def unknown_gain() -> nn.Module:
        net = nn.Linear(2, 2)
        nn.init.kaiming_normal_(net.weight, nonlinearity="none such")  # type: ignore[arg-type]  # the point
        return net

    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        made(over_a_leaf, Beginnings())
    with pytest.raises(ValueError, match="none such"):
        made(unknown_gain, Beginnings())


def test_another_device_in_between_is_kept() -> None:
    def make() -> nn.Module:
        with torch.device("cpu"):
            first = nn.Linear(2, 2)
        return nn.Sequential(first, nn.Linear(2, 2))

    net, _ = made(make, Beginnings())
    assert [part.device.type for part in net.parameters()] == ["cpu", "cpu", "meta", "meta"]
    assert torch.empty(1).device.type == "cpu"
