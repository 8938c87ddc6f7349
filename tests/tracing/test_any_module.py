"""Modules of every kind: how they are called, what they return, what they do inside."""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from peers import import_peer
from striate.errors import TraceError
from striate.records import Trace
from striate.tracing import trace

IMAGE = (3, 16, 16)


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(*shape, dtype=dtype, device="meta")


class Two(nn.Module):
    """An image, and something that is known of it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.known = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(5, 8)

    def forward(self, x: Tensor, known: Tensor, *, scale: float = 1.0) -> Tensor:
        return (self.conv(x) + self.known(known)[:, :, None, None]).mean((2, 3)) * scale


@pytest.mark.parametrize(
    "inputs",
    [
        (meta(2, 3, 16, 16), meta(2, 5)),
        [torch.zeros(2, 3, 16, 16), torch.zeros(2, 5)],
        {"known": meta(2, 5), "x": meta(2, 3, 16, 16), "scale": 2.0},
    ],
    ids=["tuple", "list of real tensors", "keywords"],
)
def test_several_inputs(inputs: object) -> None:
    found = trace(Two(), inputs=inputs)
    assert found.complete, found.failure
    assert found.image == IMAGE
    image, known = found.layers[:2]
    assert (image.op, image.shape, image.index) == ("input", (2, 3, 16, 16), 0)
    assert (known.op, known.shape, known.field) == ("input", (2, 5), None)
    assert found.totals.macs == 2 * (256 * 8 * 27 + 8 * 5)
    assert found.find("add")[0].inputs == (
        found.find("conv2d")[0].index, found.find("unsqueeze")[-1].index,
    )  # fmt: skip


def test_a_single_tensor_says_batch_and_type() -> None:
    found = trace(nn.Conv2d(3, 4, 3).half(), inputs=meta(7, 3, 9, 9, dtype=torch.float16))
    assert found.layers[-1].shape == (7, 4, 7, 7)
    assert found.layers[-1].dtype == "float16"


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: trace(Two(), IMAGE), r"Two.forward takes 2 inputs \(x, known\); .*inputs="),
        (lambda: trace(Two(), inputs=(meta(1, 3, 8, 8),)), "Two.forward takes 2 inputs"),
        (
            lambda: trace(Two(), inputs=(meta(1, 3, 8, 8), meta(1, 5), 3)),
            "Two.forward does not take inputs: too many positional",
        ),
        (lambda: trace(Two(), inputs=(meta(1, 5), meta(1, 5))), r"hold no image \(\(1, 5\), "),
        (lambda: trace(Two(), inputs=3), r"hold no image \(no tensors\)"),
        (lambda: trace(Two(), IMAGE, inputs=meta(1, 3, 8, 8)), "leave those out"),
        (lambda: trace(Two(), inputs=meta(1, 3, 8, 8), batch=2), "leave those out"),
    ],
)
def test_inputs_that_cannot_be(ask: Callable[[], Trace], said: str) -> None:
    with pytest.raises(TraceError, match=said) as caught:
        ask()
    assert "\n" not in str(caught.value)


@dataclass
class Result:
    scores: Tensor
    maps: list[Tensor]


class Returns(nn.Module):
    def __init__(self, how: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.conv, self.how = nn.Conv2d(3, 4, 3), how

    def forward(self, x: Tensor) -> Any:
        return self.how(self.conv(x))


@pytest.mark.parametrize(
    "how",
    [
        lambda x: {"out": x.mean((2, 3)), "aux": [x]},
        lambda x: Result(x.mean((2, 3)), [x]),
        lambda x: (x.mean((2, 3)), (x, None, "text")),
        lambda x: None,
    ],
    ids=["dict", "dataclass", "nested", "nothing"],
)
def test_outputs_of_any_form(how: Callable[[Tensor], Any]) -> None:
    found = trace(Returns(how), IMAGE)
    assert found.complete, found.failure
    assert found.totals.macs == 14 * 14 * 4 * 27


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] * 2


def test_a_custom_function_is_seen_through() -> None:
    found = trace(Returns(Double.apply), IMAGE)
    assert found.complete, found.failure
    assert [layer.op for layer in found] == ["input", "conv2d", "mul"]


def test_torchs_transformer_is_heard_whole() -> None:
    """Its fast path, which skips its own modules, is off; and on again afterwards."""

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 16, 4, 4)
            layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
            self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.body(self.stem(x).flatten(2).transpose(1, 2))

    before = torch.backends.mha.get_fastpath_enabled()
    found = trace(Encoder(), IMAGE)
    assert found.complete, found.failure
    tokens, width = 16, 16
    block = tokens * (4 * width * width + 2 * width * 32) + 2 * tokens * tokens * width
    assert found.totals.macs == 16 * 16 * 48 + 2 * block
    assert torch.backends.mha.get_fastpath_enabled() is before


def weighted() -> nn.Module:
    return nn.Sequential(
        parametrizations.weight_norm(nn.Conv2d(3, 8, 3)), nn.ReLU(),
        parametrizations.spectral_norm(nn.Conv2d(8, 8, 3)),
        parametrizations.orthogonal(nn.Conv2d(8, 8, 1)),
    )  # fmt: skip


@pytest.mark.parametrize("train", [False, True])
def test_parametrized_weights(train: bool) -> None:
    net = weighted()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = trace(net, IMAGE, train=train)
    assert found.complete, found.failure
    assert found.totals.params == sum(p.numel() for p in net.parameters())
    assert found.unused == ()
    assert all(layer.macs is not None for layer in found.find("conv2d"))
    after = net.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def plain() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2), nn.Flatten(),
        nn.Linear(8 * 36, 5),
    )  # fmt: skip


WRAPPED: dict[str, Callable[[], nn.Module]] = {
    "DataParallel": lambda: nn.DataParallel(plain()),
    "fx": lambda: torch.fx.symbolic_trace(plain().eval()),
    "compiled": lambda: _quietly(torch.compile, plain()),
    "scripted": lambda: _quietly(torch.jit.script, plain().eval()),
    "traced": lambda: _quietly(torch.jit.trace, plain().eval(), torch.zeros(1, *IMAGE)),
    "deep copy": lambda: copy.deepcopy(plain()),
}


def _quietly(function: Callable[..., Any], *given: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is called old by torch itself
        return function(*given)


@pytest.mark.parametrize("name", WRAPPED)
def test_wrappers_cost_what_is_inside(name: str) -> None:
    net = WRAPPED[name]()
    found = _quietly(trace, net, IMAGE)
    inside = trace(plain(), IMAGE)
    assert found.complete, found.failure
    assert found.totals.macs == inside.totals.macs
    assert found.totals.params == inside.totals.params
    assert found.totals.backward_macs == inside.totals.backward_macs


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_of_other_types(dtype: torch.dtype) -> None:
    found, usual = trace(plain().to(dtype), IMAGE), trace(plain(), IMAGE)
    assert found.complete, found.failure
    assert {layer.dtype for layer in found} == {str(dtype).removeprefix("torch.")}
    assert found.totals.macs == usual.totals.macs
    size = torch.empty(0, dtype=dtype).element_size()
    assert found.totals.read_bytes * 4 == usual.totals.read_bytes * size
    assert found.totals.gradient_bytes * 4 == usual.totals.gradient_bytes * size


class Asks(nn.Module):
    def __init__(self, how: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.conv, self.how = nn.Conv2d(3, 4, 3), how

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        self.how(x)
        return F.relu(x)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (lambda x: x.mean().item(), r"item\(\)"),
        (lambda x: 1 if x.mean() > 0 else 2, "a condition on a tensor"),
        (lambda x: x[x > 0], r"nonzero\(\) or a boolean index"),
        (lambda x: x.cpu().numpy(), r"numpy\(\)"),
        (lambda x: x.tolist(), r"item\(\)|tolist\(\)"),
    ],
)
def test_a_forward_that_needs_numbers(how: Callable[[Tensor], Any], said: str) -> None:
    found = trace(Asks(how), IMAGE)
    failure = found.failure
    assert failure is not None
    assert re.search(said, failure.message)
    assert "needs the numbers in a tensor, and a trace has only shapes" in failure.message
    assert failure.source is not None
    assert "test_any_module.py" in failure.source
    assert [layer.op for layer in found][:2] == ["input", "conv2d"]


def test_control_flow_by_shapes_is_followed() -> None:
    def halve(x: Tensor) -> Tensor:
        while x.shape[-1] > 4:
            x = F.avg_pool2d(x, 2)
        return x

    assert len(trace(Returns(halve), IMAGE).find("avg_pool2d")) == 2


def test_in_place_operations_on_views() -> None:
    def change(x: Tensor) -> Tensor:
        x[:, :2] += 1
        x.mul_(2).clamp_(min=0)
        return x

    found = trace(Returns(change), IMAGE)
    assert found.complete, found.failure
    assert found.layers[-1].inputs
    assert found.layers[-1].field is not None
    assert found.layers[-1].field.size == (3, 3)


def test_a_quantised_module_says_what_cannot_be_seen() -> None:
    quantise = torch.ao.quantization.quantize_dynamic
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 14 * 14, 5))
    found = trace(_quietly(quantise, net, {nn.Linear}), IMAGE)
    failure = found.failure
    assert failure is not None
    assert failure.path == "2"
    assert failure.message.startswith("a quantised module holds packed weights and scales")
    assert failure.hint == "trace the network as it was before it was converted"
    assert [layer.op for layer in found] == ["input", "conv2d", "flatten"]


@pytest.fixture(scope="module")
def torchvision() -> Any:
    try:
        return import_peer("torchvision")
    except ImportError:
        pytest.skip("torchvision is not installed")


def test_a_segmenter_returns_a_dict(torchvision: Any) -> None:
    make = torchvision.models.segmentation.lraspp_mobilenet_v3_large
    found = trace(lambda: make(weights_backbone=None), (3, 64, 64))
    assert found.complete, found.failure
    assert found.unknown == ()
    assert found.layers[-1].shape == (1, 21, 64, 64)


def test_a_detector_is_traced_up_to_where_it_needs_numbers(torchvision: Any) -> None:
    """Its heads are seen; which boxes stay is decided by scores."""
    make = torchvision.models.detection.ssdlite320_mobilenet_v3_large
    found = trace(lambda: make(weights_backbone=None), (3, 320, 320))
    failure = found.failure
    assert failure is not None
    assert failure.message == (
        "nonzero() or a boolean index needs the numbers in a tensor, and a trace has only shapes"
    )
    assert failure.source is not None
    assert "torchvision/models/detection/ssd.py" in failure.source
    parameters = sum(p.numel() for p in make(weights_backbone=None).parameters())
    assert sum(layer.params for layer in found) == parameters
