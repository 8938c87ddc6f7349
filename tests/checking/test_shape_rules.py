"""SH100, SH101, SH102 on traces drawn by hand; the numbers are worked out on paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from striate.checking import check
from striate.records import Failure

Draw = Callable[..., Any]


def _said(trace: Any, code: str) -> list[Any]:
    return check(trace, select=[code])


def test_sh100_says_what_met_and_the_mend(draw: Draw) -> None:
    d = draw(3, 32, 32)
    d.flatten(d.conv(d.start, 8))
    failure = Failure(
        path="fc",
        op="linear",
        shapes=((1, 8192), (10, 512)),
        message="8192 features met a layer that takes 512",
        source="net.py:7",
        hint="in_features=8192 would make these match",
    )
    (finding,) = check(d.trace(failure))
    assert (finding.code, finding.severity, finding.path) == ("SH100", "error", "fc")
    assert finding.message == (
        "the forward pass of a 3×32×32 image stops at linear on 1×8192 and 10×512: "
        "8192 features met a layer that takes 512."
    )
    assert finding.fix == "in_features=8192 would make these match"
    assert finding.source == "net.py:7"


def test_sh101_counts_the_dead_weights_of_every_starved_layer(draw: Draw) -> None:
    d = draw(3, 4, 4)
    down = d.conv(d.conv(d.start, 8, stride=2, path="a"), 8, stride=2, path="shrinks")
    first = d.conv(d.relu(down), 16, path="first")
    d.head(d.relu(d.conv(d.relu(first), 16, path="second")))
    (finding,) = _said(d.trace(), "SH101")
    # `shrinks` reads 2×2 with stride 2: 2 of 3 taps live per axis, so 5 of 9 dead: it comes first.
    assert finding.path == "shrinks"
    dead = 8 * 8 * 5 + 8 * 16 * 8 + 16 * 16 * 8
    assert finding.price.params == finding.measured["dead_weights"] == dead
    assert finding.measured["layers"] == ["shrinks", "first", "second"]
    assert "down to 2×2 here, so 5 of the 9 taps of the 3×3 kernel" in finding.message


def test_sh101_names_where_the_map_shrank(draw: Draw) -> None:
    d = draw(3, 8, 8)
    x = d.relu(d.conv(d.start, 8, 1, path="pixelwise"))
    x = d.pool(x, 8, 8)
    d.head(d.relu(d.conv(d.relu(d.conv(x, 8, 1, path="between")), 8, path="starved")))
    (finding,) = _said(d.trace(), "SH101")
    assert finding.path == "starved"
    assert finding.measured["shrunk_at"] == x.path
    assert f"`{x.path}`" in finding.fix


@pytest.mark.parametrize(
    ("size", "kernel", "dilation"),
    [(2, 3, 1), (1, 1, 1), (4, 7, 1), (14, 3, 18)],
    ids=["2×2 uses all nine taps", "1×1 kernel", "7×7 on 4×4", "dilation alone is too wide"],
)
def test_sh101_is_silent(draw: Draw, size: int, kernel: int, dilation: int) -> None:
    d = draw(3, size, size)
    d.head(d.relu(d.conv(d.start, 8, kernel, dilation=dilation)))
    assert _said(d.trace(), "SH101") == []


def test_sh101_takes_each_axis_for_itself(draw: Draw) -> None:
    d = draw(3, 1, 32)
    d.head(d.relu(d.conv(d.start, 8)))
    (finding,) = _said(d.trace(), "SH101")
    assert finding.measured["dead_share"] == pytest.approx(2 / 3)


def _vgg_head(d: Any, channels: int, out: int) -> Any:
    return d.linear(d.relu(d.linear(d.flatten(d.relu(d.conv(d.start, channels))), out)), 10)


def test_sh102_prices_what_pooling_would_save(draw: Draw) -> None:
    d = draw(3, 7, 7)
    _vgg_head(d, 512, 4096)
    (finding,) = _said(d.trace(), "SH102")
    # VGG-16's first dense layer: 512·7·7 → 4096 (Simonyan and Zisserman, table 1).
    assert finding.measured["weights"] == 102_760_448
    assert finding.measured["features"] == 25_088
    assert finding.price.params == 102_760_448 - 512 * 4096
    assert "a 7×7 map of 512 channels is flattened into 25,088 features" in finding.message


def test_sh102_sees_a_convolution_over_the_whole_map(draw: Draw) -> None:
    d = draw(3, 7, 7)
    whole = d.conv(d.relu(d.conv(d.start, 512)), 4096, 7, padding=0, path="fc1")
    d.linear(d.flatten(d.relu(whole)), 10)
    (finding,) = _said(d.trace(), "SH102")
    assert finding.path == "fc1"


def test_sh102_is_silent_below_a_mebibyte(draw: Draw) -> None:
    d = draw(1, 5, 5)
    _vgg_head(d, 16, 120)  # LeNet-5's
    assert _said(d.trace(), "SH102") == []


def test_sh102_is_silent_where_the_layer_is_a_small_part(draw: Draw) -> None:
    d = draw(3, 4, 4)
    x = d.relu(d.conv(d.start, 512))
    for _ in range(5):
        x = d.relu(d.conv(x, 512))
    d.linear(d.flatten(x), 1000)
    assert _said(d.trace(), "SH102") == []


def test_sh102_leaves_perceptrons_and_pooled_maps_alone(draw: Draw) -> None:
    d = draw(3, 32, 32)
    d.linear(d.relu(d.linear(d.flatten(d.start), 1024)), 10)
    assert _said(d.trace(), "SH102") == []
    d = draw(3, 32, 32)
    d.head(d.relu(d.conv(d.start, 512)), 4096)
    assert _said(d.trace(), "SH102") == []
