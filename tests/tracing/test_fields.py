"""Receptive fields of hand-made nets, one for each kind of operation, against the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.tracing import trace

Conv = nn.Conv2d
IMAGE = (3, 48, 48)


class Net(nn.Module):
    """A forward written as a function of the image and some modules."""

    def __init__(self, forward: Callable[..., Any], *parts: nn.Module) -> None:
        super().__init__()
        self.function = forward
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Any:
        return self.function(x, *self.parts)


def _residual(x: Tensor, stem: nn.Module, one: nn.Module, two: nn.Module) -> Tensor:
    x = stem(x)
    return x + two(one(x))


def _unet(x: Tensor, a: nn.Module, b: nn.Module, up: nn.Module, c: nn.Module) -> Tensor:
    skip = a(x)
    return c(torch.cat([skip, up(b(skip))], 1))


def _focus(x: Tensor, conv: nn.Module) -> Tensor:
    corners = [x[..., i::2, j::2] for j in (0, 1) for i in (0, 1)]
    return conv(torch.cat(corners, 1))


def _convnext(x: Tensor, stem: nn.Module, deep: nn.Module, *mlp: nn.Module) -> Tensor:
    x = stem(x)
    y = deep(x).permute(0, 2, 3, 1)
    for part in mlp:
        y = part(y)
    return x + y.permute(0, 3, 1, 2)


def _patchify(x: Tensor, linear: nn.Module, p: int = 4) -> Tensor:
    n, c, h, w = x.shape
    x = x.reshape(n, c, h // p, p, w // p, p).permute(0, 2, 4, 1, 3, 5)
    x = linear(x.reshape(n, (h // p) * (w // p), c * p * p))
    return x.transpose(1, 2).reshape(n, -1, h // p, w // p)


def _window_attention(x: Tensor, qkv: nn.Module, w: int, shift: int) -> Tensor:
    n, height, width, c = x.shape
    skip, x = x, torch.roll(x, (-shift, -shift), (1, 2)) if shift else x
    x = x.view(n, height // w, w, width // w, w, c).permute(0, 1, 3, 2, 4, 5)
    q, k, v = qkv(x.reshape(-1, w * w, c)).chunk(3, -1)
    x = (q @ k.transpose(-2, -1)).softmax(-1) @ v
    x = x.view(n, height // w, width // w, w, w, c).permute(0, 1, 3, 2, 4, 5)
    x = x.reshape(n, height, width, c)
    return skip + (torch.roll(x, (shift, shift), (1, 2)) if shift else x)


def _swin(x: Tensor, stem: nn.Module, one: nn.Module, two: nn.Module, conv: nn.Module) -> Tensor:
    x = stem(x).permute(0, 2, 3, 1)
    x = _window_attention(x, one, 4, 0)
    x = _window_attention(x, two, 4, 2)
    x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)
    return conv(x.permute(0, 3, 1, 2))


def _squeeze_excite(x: Tensor, conv: nn.Module, down: nn.Module, up: nn.Module) -> Tensor:
    x = conv(x)
    return x * torch.sigmoid(up(F.relu(down(x.mean((2, 3), keepdim=True)))))


def _class_token(x: Tensor, stem: nn.Module, linear: nn.Module) -> list[Tensor]:
    x = stem(x).flatten(2).transpose(1, 2)
    token = torch.zeros(1, 1, x.shape[-1], dtype=x.dtype, device=x.device)
    x = linear(torch.cat([token, x], 1))
    return [x[:, 1:].transpose(1, 2).reshape(1, -1, 12, 12), x]


def _channel_shuffle(x: Tensor, stem: nn.Module, branch: nn.Module) -> list[Tensor]:
    a, b = stem(x).chunk(2, 1)
    x = torch.cat([a, branch(b)], 1)
    n, c, h, w = x.shape
    a, b = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w).chunk(2, 1)
    return [x, x[:, :3], x[:, 5:], a + b]


def _unfolded(x: Tensor, conv: nn.Module, linear: nn.Module) -> Tensor:
    columns = F.unfold(conv(x), 3, padding=1).transpose(1, 2)
    return linear(columns).transpose(1, 2).reshape(1, 4, 46, 46)


def _folded(x: Tensor, linear: nn.Module) -> Tensor:
    columns = linear(F.unfold(x, 3, stride=2).transpose(1, 2))
    return F.fold(columns.transpose(1, 2), (47, 47), 3, stride=2)


def _spatial_attention(x: Tensor, conv: nn.Module, mask: nn.Module) -> Tensor:
    x = conv(x)
    return x * torch.sigmoid(mask(torch.cat([x.mean(1, keepdim=True), x.amax(1, True)], 1)))


def _strip_gate(x: Tensor, conv: nn.Module, gate: nn.Module) -> Tensor:
    x = conv(x)
    return x * torch.sigmoid(gate(x.mean(3, keepdim=True)))


def _zero_rows(x: Tensor, a: nn.Module, b: nn.Module) -> Tensor:
    x = a(x)
    rows = torch.zeros(1, 4, 2, x.shape[-1], dtype=x.dtype, device=x.device)
    return b(torch.cat([rows, x], 2))


def _written(x: Tensor, a: nn.Module, b: nn.Module, c: nn.Module) -> Tensor:
    one, two = a(x), b(x)
    out = torch.zeros(1, 8, *one.shape[2:], dtype=x.dtype, device=x.device)
    out[:, :4] = one
    out[:, 4:] = two
    return c(out)


def _written_inside(x: Tensor, a: nn.Module, b: nn.Module) -> Tensor:
    x = a(x)
    out = torch.zeros(1, 4, x.shape[2] + 4, x.shape[3] + 4, dtype=x.dtype, device=x.device)
    out[:, :, 2:-2, 2:-2] = x
    return b(out)


def _written_apart(x: Tensor, a: nn.Module, b: nn.Module) -> Tensor:
    x = a(x)
    out = torch.zeros(1, 4, 2 * x.shape[2], 2 * x.shape[3], dtype=x.dtype, device=x.device)
    out[:, :, ::2, ::2] = x
    return b(out)


def _written_one_by_one(x: Tensor, a: nn.Module, b: nn.Module, c: nn.Module) -> list[Tensor]:
    one, two = a(x), b(x)
    out = torch.empty(1, 2, *one.shape[2:], dtype=x.dtype, device=x.device)
    out[:, 0] = one[:, 0]
    out[:, 1] = two[:, 0]
    return [out, out[:, :1], out[:, 1:], c(out)]


def _changed_under_views(x: Tensor, a: nn.Module, b: nn.Module) -> list[Tensor]:
    one = a(x)
    flat, part = one.view(1, 4, -1), one[:, 1:3, 2:]
    one.mul_(b(x))
    return [flat.view_as(one), part]


def chain(depth: int) -> nn.Module:
    return nn.Sequential(*[Conv(3 if i == 0 else 4, 4, 3, padding=1) for i in range(depth)])


def up(*args: Any, **kwargs: Any) -> nn.Module:
    return nn.Sequential(Conv(3, 4, 3, 4, 1), nn.Upsample(*args, **kwargs), Conv(4, 4, 3))


def transposed(*args: Any, **kwargs: Any) -> nn.Module:
    deconv = nn.ConvTranspose2d(4, 4, *args, **kwargs)
    return nn.Sequential(Conv(3, 4, 3, 2, 1), deconv, Conv(4, 4, 3))


def depthwise(n: int, kernel: int) -> nn.Module:
    return Conv(n, n, kernel, padding=kernel // 2, groups=n)


EXACT: dict[str, Callable[[], nn.Module]] = {
    "ten 3x3": lambda: chain(10),
    "residual": lambda: Net(
        _residual, Conv(3, 4, 3, 2, 1), Conv(4, 4, 3, 1, 1), Conv(4, 4, 5, 1, 2)
    ),
    "dilation": lambda: nn.Sequential(Conv(3, 4, 3, dilation=2), Conv(4, 4, 3, 2, 1, dilation=3)),
    "pools": lambda: nn.Sequential(
        Conv(3, 4, 3), nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2), nn.MaxPool2d(2, ceil_mode=True),
        Conv(4, 4, 3),
    ),
    "transposed 4, stride 2": lambda: transposed(4, 2, 1),
    "transposed 3, stride 2": lambda: transposed(3, 2, 1, 1),
    "transposed 5, stride 3": lambda: transposed(5, 3, 1),
    "transposed 2, stride 2": lambda: transposed(2, 2),
    "transposed, holes": lambda: nn.Sequential(Conv(3, 4, 3, 2, 1), nn.ConvTranspose2d(4, 4, 1, 3)),
    "transposed, holes filled": lambda: transposed(1, 3),
    "transposed, dilated": lambda: transposed(3, 2, 2, dilation=2),
    "nearest x2": lambda: up(scale_factor=2),
    "nearest x3": lambda: up(scale_factor=3),
    "nearest to 31": lambda: up(size=(31, 29)),
    "bilinear x2": lambda: up(scale_factor=2, mode="bilinear"),
    "bilinear to 31": lambda: up(size=(31, 29), mode="bilinear"),
    "bilinear, aligned": lambda: up(scale_factor=2, mode="bilinear", align_corners=True),
    "bicubic": lambda: up(scale_factor=2, mode="bicubic"),
    "nearest x0.7": lambda: Net(lambda x, a: a(F.interpolate(x, scale_factor=0.7)), Conv(3, 4, 3)),
    "antialiased": lambda: Net(
        lambda x, a: a(F.interpolate(x, (20, 21), mode="bilinear", antialias=True)), Conv(3, 4, 3)
    ),
    "adaptive, uneven": lambda: nn.Sequential(Conv(3, 4, 3), nn.AdaptiveAvgPool2d(7)),
    "adaptive, even": lambda: nn.AdaptiveAvgPool2d(8),
    "reflect, replicate, circular": lambda: nn.Sequential(
        Conv(3, 4, 3, padding=1, padding_mode="reflect"),
        Conv(4, 4, 5, padding=2, padding_mode="replicate"),
        Conv(4, 4, 3, padding=1, padding_mode="circular"),
    ),
    "same": lambda: nn.Sequential(
        Conv(3, 4, 5, padding="same"), Conv(4, 4, 3, padding="same", dilation=3)
    ),
    "pixel shuffle": lambda: nn.Sequential(Conv(3, 16, 3, 4, 1), nn.PixelShuffle(2), Conv(4, 4, 3)),
    "pixel unshuffle": lambda: nn.Sequential(nn.PixelUnshuffle(2), Conv(12, 4, 3)),
    "pixel unshuffle, depthwise": lambda: nn.Sequential(
        nn.PixelUnshuffle(2), depthwise(12, 3), Conv(12, 12, 1, groups=3)
    ),
    "focus": lambda: Net(_focus, Conv(12, 4, 3)),
    "grouped": lambda: nn.Sequential(Conv(3, 8, 3), Conv(8, 8, 3, groups=4)),
    "channel shuffle": lambda: Net(_channel_shuffle, Conv(3, 8, 3), Conv(4, 4, 3, padding=1)),
    "unet": lambda: Net(
        _unet, Conv(3, 4, 3, 1, 1), Conv(4, 4, 3, 2, 1), nn.ConvTranspose2d(4, 4, 2, 2),
        Conv(8, 4, 3),
    ),
    "unet, bilinear": lambda: Net(
        _unet, Conv(3, 4, 3, 1, 1), Conv(4, 4, 3, 2, 1),
        nn.Upsample(scale_factor=2, mode="bilinear"), Conv(8, 4, 3),
    ),
    "convnext": lambda: Net(
        _convnext, Conv(3, 8, 4, 4), depthwise(8, 7), nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(),
        nn.Linear(16, 8),
    ),
    "patchify": lambda: Net(_patchify, nn.Linear(48, 8)),
    "swin": lambda: Net(
        _swin, Conv(3, 8, 2, 2), nn.Linear(8, 24), nn.Linear(8, 24), Conv(32, 4, 3)
    ),
    "spatial attention": lambda: Net(_spatial_attention, Conv(3, 4, 3), Conv(2, 1, 7, padding=3)),
    "class token": lambda: Net(_class_token, Conv(3, 8, 4, 4), nn.Linear(8, 8)),
    "unfold": lambda: Net(_unfolded, Conv(3, 4, 3), nn.Linear(36, 4)),
    "fold": lambda: Net(
        _folded, nn.Linear(27, 36)
    ),
    "tensor unfold": lambda: Net(
        lambda x, c: c(x).unfold(2, 3, 2).unfold(3, 5, 1).sum((-1, -2)), Conv(3, 4, 3)
    ),
    "flip": lambda: Net(lambda x, a, b: b(a(x).flip(2)), Conv(3, 4, 3, 2), Conv(4, 4, 3)),
    "roll": lambda: Net(
        lambda x, a, b: b(torch.roll(a(x), (3, -5), (2, 3))), Conv(3, 4, 3, 2), Conv(4, 4, 3)
    ),
    "crop": lambda: Net(lambda x, a, b: b(a(x)[:, :, 3:-2:2, 5:]), Conv(3, 4, 3), Conv(4, 4, 3)),
    "cut and joined": lambda: Net(
        lambda x, a, b: b(torch.cat([a(x)[:, :, :10], a(x)[:, :, 10:]], 2)),
        Conv(3, 4, 3), Conv(4, 4, 3),
    ),
    "rows of zeros": lambda: Net(_zero_rows, Conv(3, 4, 3), Conv(4, 4, 3)),
    "written by channels": lambda: Net(
        _written, Conv(3, 4, 3, padding=1), Conv(3, 4, 5, padding=2), Conv(8, 4, 3)
    ),
    "written inside": lambda: Net(_written_inside, Conv(3, 4, 3), Conv(4, 4, 3)),
    "written apart": lambda: Net(_written_apart, Conv(3, 4, 3, 2), Conv(4, 4, 3)),
    "written one by one": lambda: Net(
        _written_one_by_one, Conv(3, 1, 3, padding=1), Conv(3, 1, 5, padding=2), Conv(2, 4, 3)
    ),
    "changed under views": lambda: Net(
        _changed_under_views, Conv(3, 4, 3, padding=1), Conv(3, 4, 5, padding=2)
    ),
    "conv1d over tokens": lambda: Net(
        lambda x, a, b: b(a(x).flatten(2)), Conv(3, 4, 3), nn.Conv1d(4, 4, 3)
    ),
    "weight times map": lambda: Net(
        lambda x, a: (a.weight @ x.flatten(2)).view(1, 4, 48, 48), nn.Linear(3, 4)
    ),
    "einsum": lambda: Net(
        lambda x, a, b: torch.einsum("bchw,oc->bohw", a(x), b.weight),
        Conv(3, 4, 3), nn.Linear(4, 5),
    ),
    "response norm": lambda: nn.Sequential(Conv(3, 8, 3), nn.LocalResponseNorm(3)),
    "outputs": lambda: Net(
        lambda x, a, b, c: {"a": a(x), "b": [b(a(x)), c(b(a(x)))]},
        Conv(3, 4, 3, padding=1), Conv(4, 4, 3, 2, 1), Conv(4, 4, 5),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_exact_means_exact(name: str, against_gradient: Any) -> None:
    verdict = against_gradient(EXACT[name](), IMAGE)
    assert set(verdict.statuses) <= {"exact"}
    assert verdict.compared >= 4, "too few elements are interior for the test to mean anything"


def test_growth_of_3x3_layers(shared: Any) -> None:
    import json

    facts = json.loads((shared / "facts" / "fields.json").read_text())
    for depth, size in facts["growth_3x3_stride1"].items():
        field = trace(chain(int(depth)), IMAGE).layers[-1].field
        assert field is not None
        assert field.size == (size, size)
        assert field.start == (-(size // 2), -(size // 2))


def test_a_squeeze_gate_is_reported_apart() -> None:
    found = trace(Net(_squeeze_excite, Conv(3, 8, 3), Conv(8, 2, 1), Conv(2, 8, 1)), IMAGE)
    assert [layer.op for layer in found if layer.gate] == [
        "mean", "conv2d", "relu", "conv2d", "sigmoid",
    ]  # fmt: skip
    gated = found.last("mul").field
    assert gated is not None
    assert gated.gated
    assert gated.status == "exact"
    assert gated.size == (3, 3)


def test_a_gate_along_one_axis_leaves_the_other_exact() -> None:
    found = trace(Net(_strip_gate, Conv(3, 4, 3), Conv(4, 4, (5, 1), padding=(2, 0))), IMAGE)
    field = found.last("mul").field
    assert field is not None
    assert field.size == (7, 3)


def test_pooling_before_a_classifier_is_no_gate() -> None:
    net = nn.Sequential(Conv(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    found = trace(net, IMAGE)
    assert not any(layer.gate for layer in found)
    assert found.last("adaptive_avg_pool2d").field is not None
    assert found.last("flatten").field is None
    assert found.last("linear").field is None


@pytest.mark.parametrize("norm", [nn.GroupNorm(2, 4), nn.InstanceNorm2d(4)])
def test_statistics_over_space_are_a_gate(norm: nn.Module) -> None:
    field = trace(nn.Sequential(Conv(3, 4, 3), norm), IMAGE).layers[-1].field
    assert field is not None
    assert (field.status, field.size, field.gated) == ("exact", (3, 3), True)


def test_neighbours_that_are_not_evenly_apart_say_where_each_is() -> None:
    field = trace(nn.Sequential(Conv(3, 4, 4, 4), nn.Upsample(scale_factor=2)), IMAGE)
    seen = field.layers[-1].field
    assert seen is not None
    assert seen.size == (4, 4)
    assert seen.stride == (2, 2)
    assert [seen.span(0, i) for i in range(4)] == [(0, 3), (0, 3), (4, 7), (4, 7)]


def test_positions_that_depend_on_values_say_so() -> None:
    def sampled(x: Tensor, conv: nn.Module) -> Tensor:
        return F.grid_sample(x, conv(x).permute(0, 2, 3, 1)[..., :2], align_corners=False)

    field = trace(Net(sampled, Conv(3, 4, 3)), IMAGE).layers[-1].field
    assert field is not None
    assert field.status == "data-dependent"


def test_a_bound_contains_the_truth(against_gradient: Any) -> None:
    def merged(x: Tensor, stem: nn.Module, qkv: nn.Module, down: nn.Module) -> Tensor:
        x = _window_attention(stem(x).permute(0, 2, 3, 1), qkv, 3, 0)
        n, h, w, c = x.shape
        x = x.reshape(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5)
        return down(x.reshape(n, h // 2, w // 2, 4 * c))

    net = Net(merged, Conv(3, 8, 2, 2), nn.Linear(8, 24), nn.Linear(32, 8))
    verdict = against_gradient(net, IMAGE)
    assert verdict.statuses == ["bound"]
