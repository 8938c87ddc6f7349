"""Single blocks against their papers' formulas."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.arch import Pool, Stage
from striate.building.blocks.basic import BasicBlock
from striate.building.blocks.conv import ConvBlock
from striate.building.blocks.shortcuts import Projection, ZeroPad
from striate.building.blocks.squeeze import SqueezeExcite
from striate.building.parts import Style, group_count, make_activation, make_norm, make_pool
from striate.building.stage import StageBlocks

STYLE = Style(norm="batch", activation="relu", bias=False)


def randn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_a_pad_shortcut_strides_and_adds_channels_of_zeros() -> None:
    x = randn(2, 3, 5, 4)
    out = ZeroPad(2, stride=2)(x)
    assert out.shape == (2, 5, 3, 2)
    assert torch.equal(out[:, :3], x[:, :, ::2, ::2])
    assert not out[:, 3:].any()
    assert torch.equal(ZeroPad(0, stride=1)(x), x)
    assert list(ZeroPad(2, stride=2).parameters()) == []


def test_a_projection_is_a_strided_1x1_convolution() -> None:
    shortcut = Projection(3, 5, STYLE, stride=2).eval()
    x = randn(2, 3, 5, 4)
    weight = shortcut.conv.weight[:, :, 0, 0]
    expected = torch.einsum("oc,nchw->nohw", weight, x[:, :, ::2, ::2]) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(shortcut(x), expected)


def test_a_squeeze_gate_is_hu_et_als_formula() -> None:
    gate = SqueezeExcite(8, 0.25, STYLE)
    assert gate.reduce.weight.shape == (2, 8, 1, 1)
    x = randn(3, 8, 5, 4)
    down, up = gate.reduce.weight[:, :, 0, 0], gate.expand.weight[:, :, 0, 0]
    squeezed = (x.mean(dim=(2, 3)) @ down.T + gate.reduce.bias).relu()
    scale = torch.sigmoid(squeezed @ up.T + gate.expand.bias)
    torch.testing.assert_close(gate(x), x * scale[:, :, None, None])
    assert SqueezeExcite(8, 0.01, STYLE).reduce.out_channels == 1


def test_the_gate_stands_before_the_sum() -> None:
    row = Stage(block="basic", depth=1, width=4, squeeze=0.5)
    block = StageBlocks(4, (8, 8), row, STYLE).blocks[0].eval()
    x = randn(2, 4, 8, 8)
    branch = block.norm2(block.conv2(block.act1(block.norm1(block.conv1(x)))))
    torch.testing.assert_close(block(x), (block.gate(branch) + x).relu())
    conv = StageBlocks(4, (8, 8), Stage(block="conv", depth=1, width=4, squeeze=0.5), STYLE)
    first = conv.blocks[0].eval()
    assert isinstance(first, ConvBlock)
    torch.testing.assert_close(first(x), first.gate(first.norm(first.conv(x)).relu()))


def test_a_skip_passes_through_unchanged_where_shapes_agree() -> None:
    stage = StageBlocks(4, (8, 8), Stage(block="basic", depth=3, width=8, stride=2), STYLE)
    shortcuts = [block.shortcut for block in stage.blocks if isinstance(block, BasicBlock)]
    assert [type(shortcut) for shortcut in shortcuts] == [Projection, nn.Identity, nn.Identity]
    same = StageBlocks(8, (8, 8), Stage(block="basic", depth=1, width=8), STYLE).blocks[0]
    assert isinstance(same.shortcut, nn.Identity)


def test_group_norm_has_groups_that_divide_of_two_channels_or_more() -> None:
    for channels in range(1, 200):
        groups = group_count(channels)
        assert channels % groups == 0
        assert groups <= 32
        assert groups == 1 or channels // groups >= 2
        larger = range(groups + 1, 33)
        assert not any(channels % more == 0 and channels // more >= 2 for more in larger)
    assert isinstance(
        make_norm(64, Style(norm="group", activation="relu", bias=False)), nn.GroupNorm
    )


def test_layer_norm_is_over_channels_and_map() -> None:
    norm = make_norm(6, Style(norm="layer", activation="relu", bias=False))
    x = randn(2, 6, 3, 3) * 5 + 2
    out = norm(x).flatten(1)
    torch.testing.assert_close(out.mean(dim=1), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(dim=1, unbiased=False), torch.ones(2), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("relu", lambda x: x.clamp(min=0)),
        ("tanh", torch.tanh),
        ("silu", lambda x: x / (1 + torch.exp(-x))),
        ("gelu", lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2),
    ],
)
def test_activations(name: str, function: nn.Module) -> None:
    act = make_activation(Style(norm="none", activation=name, bias=True))  # pyright: ignore[reportArgumentType] - one of the four
    x = randn(100)
    kept = x.clone()
    torch.testing.assert_close(act(x), function(x))
    assert torch.equal(x, kept)


def test_pools() -> None:
    x = randn(1, 2, 5, 5)
    assert make_pool(None)(x) is x
    greatest = make_pool(Pool(kind="max", kernel=3, stride=2))(x)
    torch.testing.assert_close(greatest[0, 0, 1, 1], x[0, 0, 2:5, 2:5].max())
    padded = make_pool(Pool(kind="avg", kernel=3, stride=2, padding=1))(x)
    torch.testing.assert_close(padded[0, 1, 0, 0], x[0, 1, :2, :2].sum() / 9)


def test_a_pool_that_comes_first_stands_before_the_norm() -> None:
    row = Stage(block="conv", depth=2, width=6, pool=Pool(), pool_first=True)
    stage = StageBlocks(4, (9, 8), row, STYLE).eval()
    first, second = stage.blocks
    x = randn(2, 4, 9, 8)
    pooled = nn.functional.max_pool2d(first.conv(x), 2)
    expected = second((pooled / (1 + 1e-5) ** 0.5).relu())
    torch.testing.assert_close(stage(x), expected)
    assert stage(x).shape == (2, 6, 4, 4)
