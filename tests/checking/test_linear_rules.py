"""PA301 and NA504 on traces drawn by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from striate.checking import check

Draw = Callable[..., Any]


def _codes(d: Any) -> list[tuple[str, str]]:
    findings = check(d.trace(), select=("PA301", "NA504"))
    return [(finding.code, finding.path) for finding in findings]


@pytest.mark.parametrize("op", ["batch_norm", "instance_norm"])
def test_pa301_prices_one_parameter_a_channel(draw: Draw, op: str) -> None:
    d = draw(3, 32, 32)
    d.head(d.relu(d.norm(d.conv(d.start, 16, bias=True, path="conv"), op)))
    (finding,) = check(d.trace())
    assert (finding.code, finding.path, finding.severity) == ("PA301", "conv", "info")
    assert finding.price.params == 16
    assert "the 16 biases of this convolution" in finding.message
    assert finding.fix == "pass bias=False."


def test_pa301_dense_layers_too(draw: Draw) -> None:
    d = draw(3, 32, 32)
    x = d.flatten(d.gap(d.relu(d.conv(d.start, 16))))
    d.linear(d.relu(d.norm(d.linear(x, 32))), 10)
    (finding,) = check(d.trace())
    assert finding.code == "PA301"
    assert "dense layer" in finding.message


@pytest.mark.parametrize(("groups", "fires"), [(16, True), (4, False), (1, False)])
def test_pa301_group_norm_only_with_a_group_a_channel(draw: Draw, groups: int, fires: bool) -> None:
    d = draw(3, 32, 32)
    norm = d.norm(d.conv(d.start, 16, bias=True), "group_norm", groups=groups)
    d.head(d.relu(norm))
    assert bool(_codes(d)) is fires


def test_pa301_is_silent(draw: Draw) -> None:
    d = draw(3, 32, 32)  # a layer norm takes one mean of all channels
    d.head(d.relu(d.norm(d.conv(d.start, 16, bias=True), "layer_norm")))
    assert _codes(d) == []
    d = draw(3, 32, 32)  # the activation comes first
    d.head(d.norm(d.relu(d.conv(d.start, 16, bias=True))))
    assert _codes(d) == []
    d = draw(3, 32, 32)  # someone else reads the bias too
    x = d.conv(d.start, 16, bias=True)
    d.head(d.relu(d.add(x, d.relu(d.norm(x)))))
    assert _codes(d) == []
    d = draw(3, 32, 32)  # there is none
    d.head(d.relu(d.norm(d.conv(d.start, 16))))
    assert _codes(d) == []


def test_pa301_a_layer_that_is_called_twice_meets_a_norm_each_time(draw: Draw) -> None:
    for second_norm, fires in ((True, True), (False, False)):
        d = draw(16, 32, 32)
        x = d.relu(d.norm(d.conv(d.start, 16, bias=True, path="shared")))
        x = d.conv(x, 16, bias=True, path="shared")
        d.head(d.relu(d.norm(x) if second_norm else x))
        assert _codes(d) == [("PA301", "shared")] * fires


def test_na504_two_dense_layers_are_one(draw: Draw) -> None:
    d = draw(3, 8, 8)
    x = d.relu(d.linear(d.flatten(d.start), 64))
    x = d.linear(x, 128)
    second = d.linear(d.op("dropout", x), 64)
    d.linear(d.relu(second), 10)
    (finding,) = check(d.trace())
    assert (finding.code, finding.path) == ("NA504", second.path)
    assert finding.measured["first"] == x.path
    assert finding.measured["channels"] == [64, 128, 64]
    # 64·128 + 128 and 128·64 + 64 against one 64·64 + 64
    assert finding.price.params == 64 * 128 + 128 + 128 * 64 + 64 - (64 * 64 + 64)
    assert finding.price.macs == 64 * 128 + 128 * 64 - 64 * 64


def test_na504_a_forgotten_activation(draw: Draw) -> None:
    d = draw(3, 32, 32)
    x = d.norm(d.conv(d.start, 16, path="a"))
    d.head(d.relu(d.norm(d.conv(x, 16, path="b"))))
    (finding,) = check(d.trace())
    assert (finding.code, finding.path) == ("NA504", "b")
    assert finding.fix == "put an activation behind `a`, or make one layer of the two."
    assert finding.price.params == 3 * 16 * 9 + 16 * 16 * 9 - 3 * 16 * 25


def test_na504_merging_two_3x3_saves_nothing(draw: Draw) -> None:
    d = draw(16, 32, 32)
    d.head(d.relu(d.conv(d.conv(d.start, 16), 16)))
    (finding,) = check(d.trace())
    assert finding.price.params == 0


def test_na504_the_classifier_behind_a_linear_map(draw: Draw) -> None:
    d = draw(3, 32, 32)
    d.head(d.norm(d.conv(d.start, 64)))
    assert [code for code, _ in _codes(d)] == ["NA504"]


def test_na504_factorisations_are_meant(draw: Draw) -> None:
    d = draw(96, 32, 32)  # MobileNet v2: project, expand
    x = d.norm(d.conv(d.start, 24, 1))
    d.head(d.relu(d.norm(d.conv(x, 144, 1))))
    assert _codes(d) == []
    d = draw(16, 32, 32)  # the same, where the block before it did not widen: MobileNet v3
    d.head(d.relu(d.norm(d.conv(d.norm(d.conv(d.start, 16, 1)), 72, 1))))
    assert _codes(d) == []
    d = draw(16, 32, 32)  # depthwise, pointwise
    d.head(d.relu(d.conv(d.norm(d.conv(d.start, 16, groups=16)), 32, 1)))
    assert _codes(d) == []
    d = draw(16, 32, 32)  # pointwise, depthwise
    d.head(d.relu(d.conv(d.conv(d.start, 32, 1), 32, groups=32)))
    assert _codes(d) == []
    d = draw(16, 32, 32)  # one axis each
    d.head(d.relu(d.conv(d.conv(d.start, 16, (1, 7)), 16, (7, 1))))
    assert _codes(d) == []
    d = draw(3, 8, 8)  # low rank
    x = d.relu(d.linear(d.flatten(d.start), 512))
    d.linear(d.relu(d.linear(d.linear(x, 8), 512)), 10)
    assert _codes(d) == []


@pytest.mark.parametrize(
    "between", ["relu", "max_pool2d", "layer_norm", "group_norm", "softmax", "pixel_shuffle"]
)
def test_na504_anything_else_between_counts_as_nonlinear(draw: Draw, between: str) -> None:
    d = draw(3, 32, 32)
    x = d.op(between, d.conv(d.start, 16))
    d.head(d.relu(d.conv(x, 16)))
    assert _codes(d) == []


def test_na504_a_skip_that_reads_between_makes_it_useful(draw: Draw) -> None:
    d = draw(3, 32, 32)
    x = d.norm(d.conv(d.start, 16))
    d.head(d.relu(d.add(x, d.conv(x, 16))))
    assert _codes(d) == []


def test_na504_a_flatten_between_convolutions_is_not_looked_through(draw: Draw) -> None:
    d = draw(3, 32, 32)
    x = d.conv(d.start, 16)
    y = d.op("view", d.op("view", x, shape=(1, 16, 1024)), shape=(1, 4, 64, 64))
    d.head(d.relu(d.conv(y, 16)))
    assert _codes(d) == []


def test_na504_an_average_over_channels_is_not_looked_through(draw: Draw) -> None:
    d = draw(16, 8, 8)
    x = d.op("mean", d.conv(d.start, 16), shape=(1, 8, 8))
    d.linear(d.op("flatten", x, shape=(1, 64)), 10)
    assert _codes(d) == []


def test_na504_is_not_about_signals(draw: Draw) -> None:
    d = draw(3, 8, 8)
    x = d.op("flatten", d.start, shape=(1, 3, 64))
    attrs = {"kernel": (3,), "stride": (1,), "groups": 1, "bias": True, "in_channels": 3}
    for _ in range(2):
        x = d.op("conv1d", x, shape=(1, 3, 64), attrs=attrs | {"out_channels": 3})
    d.linear(d.flatten(d.relu(x)), 10)
    assert _codes(d) == []


def test_na504_computed_weights_are_not_layers(draw: Draw) -> None:
    d = draw(3, 32, 32)
    weight = d.op("linear", shape=(16, 27), attrs={"in_features": 27, "out_features": 27})
    attrs = d.conv(d.start, 16).attrs
    x = d.op("conv2d", d.start, weight, shape=(1, 16, 32, 32), attrs=attrs)
    d.head(d.relu(x))
    assert _codes(d) == []
