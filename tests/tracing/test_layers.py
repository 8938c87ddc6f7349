"""Each operation as a layer: names, paths, lines, edges, parameters, attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.records import Trace
from striate.tracing import trace


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.conv(x)))
        return self.fc(x.mean((2, 3)))


def line_of(text: str) -> str:
    """``file:line`` of the first line of this file that has the text."""
    with open(__file__, encoding="utf-8") as file:  # noqa: PTH123  # this very file
        for number, line in enumerate(file, 1):
            if text in line:
                return f"test_layers.py:{number}"
    raise AssertionError(text)


def test_every_operation_is_a_layer() -> None:
    found = trace(Small, (3, 32, 32))
    assert found.image == (3, 32, 32)
    assert found.name == "Small"
    assert [layer.op for layer in found] == [
        "input", "conv2d", "batch_norm", "relu", "mean", "linear",
    ]  # fmt: skip
    assert [layer.path for layer in found] == ["", "conv", "norm", "", "", "fc"]
    assert [layer.inputs for layer in found] == [(), (0,), (1,), (2,), (3,), (4,)]
    assert [layer.params for layer in found] == [0, 3 * 8 * 9 + 8, 16, 0, 0, 90]
    assert [layer.module for layer in found][1:3] == ["Conv2d", "BatchNorm2d"]
    assert found.totals.macs == 16 * 16 * 8 * 27 + 80
    assert found.totals.activations == 16 * 16 * 8 + 10
    assert found.modules == {"": "Small", "conv": "Conv2d", "norm": "BatchNorm2d", "fc": "Linear"}


def test_lines_of_call_and_constructor() -> None:
    found = trace(Small, (3, 32, 32))
    conv = found.layers[1]
    assert conv.defined is not None
    assert conv.defined.endswith(line_of("self.conv = nn.Conv2d(3, 8, 3, stride=2"))
    assert found.defined["conv"] == conv.defined
    assert found.defined.keys() == found.modules.keys() - {""}
    assert conv.source is not None
    assert conv.source.endswith(line_of("x = torch.relu(self.norm(self.conv(x)))"))


def test_a_built_module_has_calls_but_no_constructors() -> None:
    found = trace(Small(), (3, 32, 32))
    assert found.layers[1].defined is None
    assert found.layers[1].source is not None
    assert found.totals == trace(Small, (3, 32, 32)).totals


def test_a_line_of_several_is_that_of_the_part() -> None:
    def made() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 4, 1),
            nn.Conv2d(4, 5, 1),  # the second
        )

    second = trace(made, (3, 8, 8)).layers[2]
    assert second.defined is not None
    assert second.defined.endswith(line_of("# the second"))
    assert second.source == second.defined  # no line of the user's called it


def test_attributes_of_a_convolution() -> None:
    net = nn.Conv2d(4, 6, (3, 5), stride=(1, 2), padding=(2, 0), dilation=2, groups=2, bias=False)
    attrs = trace(net, (4, 20, 20)).layers[1].attrs
    assert dict(attrs) == {
        "kernel": (3, 5), "stride": (1, 2), "padding": (2, 0), "dilation": (2, 2), "groups": 2,
        "bias": False, "in_channels": 4, "out_channels": 6, "transposed": False,
    }  # fmt: skip


def test_same_padding_says_both_sides() -> None:
    net = nn.Conv2d(3, 4, 5, dilation=3, padding="same")
    assert trace(net, (3, 20, 20)).layers[1].attrs["padding"] == (6, 6)


ATTRS: list[tuple[nn.Module, str, dict[str, Any]]] = [
    (nn.MaxPool2d(3, 2, 1, ceil_mode=True), "max_pool2d",
     {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1), "ceil_mode": True}),
    (nn.AvgPool2d(2), "avg_pool2d", {"kernel": (2, 2), "stride": (2, 2), "ceil_mode": False}),
    (nn.AdaptiveAvgPool2d(4), "adaptive_avg_pool2d", {"output": (4, 4)}),
    (nn.BatchNorm2d(3), "batch_norm", {"num_features": 3}),
    (nn.GroupNorm(3, 3), "group_norm", {"num_features": 3, "groups": 3}),
    (nn.InstanceNorm2d(3), "instance_norm", {"num_features": 3}),
    (nn.LayerNorm(8), "layer_norm", {"num_features": 8}),
    (nn.Linear(8, 5, bias=False), "linear",
     {"in_features": 8, "out_features": 5, "bias": False}),
    (nn.ConvTranspose2d(3, 4, 3, 2), "conv_transpose2d",
     {"in_channels": 3, "out_channels": 4, "stride": (2, 2), "transposed": True}),
    (nn.Upsample(scale_factor=2), "interpolate", {"mode": "nearest", "scale": (2.0, 2.0)}),
    (nn.ReflectionPad2d(1), "pad", {"padding": (1, 1, 1, 1), "mode": "reflect"}),
    (nn.PixelShuffle(1), "pixel_shuffle", {"factor": 1}),
    (nn.GELU(), "gelu", {}), (nn.SiLU(), "silu", {}), (nn.ReLU6(), "relu6", {}),
    (nn.Hardswish(), "hardswish", {}), (nn.Sigmoid(), "sigmoid", {}), (nn.Tanh(), "tanh", {}),
    (nn.PReLU(), "prelu", {}), (nn.Dropout(0.5), "dropout", {}), (nn.Softmax(1), "softmax", {}),
    (nn.Flatten(), "flatten", {}), (nn.ReLU(inplace=True), "relu", {}), (nn.ELU(), "elu", {}),
    (nn.GLU(2), "glu", {}), (nn.Mish(), "mish", {}), (nn.LogSoftmax(1), "log_softmax", {}),
]  # fmt: skip


@pytest.mark.parametrize(("module", "op", "attrs"), ATTRS, ids=[op for _, op, _ in ATTRS])
def test_operations_are_named_as_they_are_written(
    module: nn.Module, op: str, attrs: dict[str, Any]
) -> None:
    found = trace(nn.Sequential(module), (3, 8, 8))
    assert found.complete
    assert found.unknown == ()
    assert [layer.op for layer in found] == ["input", op]
    assert attrs.items() <= found.layers[1].attrs.items()


class Functional(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        weight = torch.ones(4, 3, 3, 3, device=x.device)
        x = F.conv2d(x, weight, padding=1)
        if x.shape[1] == 4:  # control flow on shapes is followed
            x += 1
        for _ in range(2):
            x = F.max_pool2d(F.relu(x), 2)
        return torch.cat([x, x * 2], dim=1).permute(0, 2, 3, 1)[:, 1:]


def test_functional_calls_and_control_flow_are_seen() -> None:
    found = trace(Functional(), (3, 8, 8))
    assert [layer.op for layer in found] == [
        "input", "conv2d", "add", "relu", "max_pool2d", "relu", "max_pool2d", "mul", "cat",
        "permute", "slice",
    ]  # fmt: skip
    assert found.last("cat").inputs == (6, 7)


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.again = self.conv
        self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 3)
        self.two.weight = self.one.weight
        self.never = nn.Parameter(torch.zeros(5))

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.one(self.again(self.conv(x)).mean((2, 3))))


def test_shared_modules_and_tied_weights_count_once() -> None:
    found = trace(Shared, (3, 8, 8))
    assert found.totals.params == sum(p.numel() for p in Shared().parameters())
    assert [layer.params for layer in found] == [0, 84, 0, 0, 12, 3]
    assert [layer.macs for layer in found] == [0, 64 * 81, 64 * 81, 0, 9, 9]
    assert found.unused == ("never",)


@dataclass
class Answer:
    logits: Tensor
    maps: list[Tensor]


class Rich(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.conv = kind, nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Any:
        y = self.conv(x)
        if self.kind == "dict":
            return {"a": y, "b": (y, y)}
        return Answer(y, [x]) if self.kind == "dataclass" else None


@pytest.mark.parametrize("kind", ["dict", "dataclass", "none"])
def test_outputs_of_any_kind(kind: str) -> None:
    assert len(trace(Rich(kind), (3, 8, 8))) == 2


class Attention(nn.Module):
    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.fused = fused

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        return self.attention(x, x, x, need_weights=not self.fused)[0]


@pytest.mark.parametrize("fused", [True, False])
def test_multi_head_attention_is_counted_whole(fused: bool) -> None:
    found = trace(Attention(fused), (3, 16, 16))
    tokens = 16
    attention = 2 * tokens * tokens * 8
    projections = tokens * 8 * 8 * 4
    assert found.totals.macs == 16 * 8 * 48 + projections + attention
    assert found.unused == ()
    assert ("attention" in [layer.op for layer in found]) is fused


def test_fast_path_is_off_only_while_tracing() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    net = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.Flatten(2), nn.Unflatten(2, (16,)))

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.layer = net, layer

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(self.stem(x).transpose(1, 2))

    found = trace(Encoder(), (3, 16, 16))
    assert "linear" in [layer.op for layer in found]
    assert torch.backends.mha.get_fastpath_enabled()


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # type: ignore[override]  # torch's own signature
        ctx.save_for_backward(x)
        return x * x


class Odd(nn.Module):
    """What nets do now and then: constants, caches, custom functions, changed types."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.scale = torch.ones(4, 1, 1)  # a plain attribute, no buffer
        self.order = torch.arange(4)
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        x = Square.apply(self.conv(x)) * self.scale
        x = x[:, self.order].double().float().contiguous()
        self.cache = x
        self.seen.append(1)
        grid = torch.arange(x.shape[-1]).float()
        if int(grid[-1]) != x.shape[-1] - 1:  # numbers of constants may be looked at
            raise AssertionError
        return x + grid


def test_constants_caches_and_custom_functions() -> None:
    net = Odd()
    found = trace(net, (3, 8, 8))
    assert found.complete, found.failure
    assert [layer.op for layer in found] == ["input", "conv2d", "mul", "mul", "index", "add"]
    assert not hasattr(net, "cache")
    assert net.seen == []


def test_scripted_modules_are_seen_as_operations() -> None:
    with pytest.warns(DeprecationWarning, match="jit"):
        inner = torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    net = nn.Sequential(inner, nn.Conv2d(4, 4, 3))
    before = [p.data_ptr() for p in net.parameters()]
    found = trace(net, (3, 8, 8))
    assert [layer.op for layer in found] == ["input", "conv2d", "relu", "conv2d"]
    assert found.unused == ()
    assert found.totals.params == sum(p.numel() for p in net.parameters())
    assert [p.data_ptr() for p in net.parameters()] == before


def test_a_forward_that_takes_gradients() -> None:
    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                return torch.autograd.grad(self.conv(x).sum(), x)[0]

    found = trace(Inner(), (3, 8, 8))
    assert found.complete
    assert found.layers[1].op == "conv2d"
    assert found.unknown == ("convolution_backward",)
    assert found.layers[-1].macs is None


def test_an_unknown_operation_is_listed_and_not_counted_as_zero() -> None:
    class Spectral(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.fft.fft2(x).abs()

    found = trace(Spectral(), (3, 8, 8))
    assert found.complete
    assert found.unknown == ("fft_c2c",)
    assert found.layers[1].macs is None
    assert found.totals.macs == 0


def test_a_custom_operator_has_an_unknown_field() -> None:
    with torch.library._scoped_library("striate_test", "DEF") as lib:
        lib.define("mystery(Tensor x) -> Tensor")
        lib.impl("mystery", torch.empty_like, "Meta")

        class Mystery(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return torch.ops.striate_test.mystery(x)

        found = trace(Mystery(), (3, 8, 8))
    assert found.unknown == ("striate_test::mystery",)
    assert found.layers[1].field is not None
    assert found.layers[1].field.status == "unknown"


def test_batch_and_training_mode() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 8), nn.BatchNorm2d(4), nn.Dropout(0.5))
    assert trace(net, (3, 8, 8)).complete  # a map of one pixel, in evaluation mode
    failure = trace(net, (3, 8, 8), train=True).failure
    assert failure is not None
    assert failure.path == "1"
    assert "more than 1 value per channel" in failure.message
    many = trace(net, (3, 8, 8), train=True, batch=6)
    assert many.complete
    assert many.layers[1].shape == (6, 4, 1, 1)
    assert many.totals.macs == 6 * trace(net, (3, 8, 8)).totals.macs


def test_weights_in_half_precision() -> None:
    found = trace(nn.Conv2d(3, 4, 3).half(), (3, 8, 8))
    assert {layer.dtype for layer in found} == {"float16"}
    assert found.layers[1].out_bytes == 4 * 36 * 2


def test_a_factory_that_needs_numbers_is_built_for_real() -> None:
    def made() -> nn.Module:
        width = int(torch.linspace(2, 4, 3)[-1].item())
        return nn.Conv2d(3, width, 3)

    found: Trace = trace(made, (3, 8, 8))
    assert found.layers[1].attrs["out_channels"] == 4
    assert found.layers[1].defined is not None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, as it loads its compiler
def test_a_compiled_module_is_traced_as_it_was_written() -> None:
    net = torch.compile(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    found = trace(net, (3, 8, 8))
    assert [layer.op for layer in found] == ["input", "conv2d", "relu"]
    assert found.layers[1].path == "_orig_mod.0"
