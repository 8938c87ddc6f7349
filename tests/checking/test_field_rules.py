"""FL201 and FL203 on traces drawn by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from striate.checking import check

Draw = Callable[..., Any]


def _chain(d: Any, convs: int, width: int = 8) -> Any:
    x = d.start
    for number in range(convs):
        x = d.relu(d.conv(x, width, path=f"c{number}"))
    return x


def test_fl201_begins_where_the_input_covers_the_image(draw: Draw) -> None:
    d = draw(3, 9, 9)
    d.head(_chain(d, 6))
    (finding,) = check(d.trace(), select=["FL201"])
    # Fields of the inputs: 1, 3, 5, 7, 9, 11: the fifth and sixth see all 9 px.
    assert finding.path == "c4"
    assert finding.measured["layers"] == ["c4", "c5"]
    assert finding.measured["productive_above_px"] == 11
    assert finding.price.params == 2 * 8 * 8 * 9
    assert finding.price.macs == 2 * 8 * 8 * 9 * 81
    assert "already sees 9 px of the 9×9 image" in finding.message
    assert "2 convolutions from here on" in finding.message


def test_fl201_follows_the_narrowest_path(draw: Draw) -> None:
    d = draw(3, 9, 9)
    x = d.relu(d.conv(d.start, 8))
    for _ in range(10):
        x = d.relu(d.add(x, d.conv(d.relu(d.conv(x, 8)), 8)))
    d.head(x)
    assert check(d.trace()) == []


def test_fl201_wants_both_axes(draw: Draw) -> None:
    d = draw(3, 9, 64)
    d.head(_chain(d, 6))
    assert check(d.trace()) == []


def test_fl201_is_for_kernels_that_look_around(draw: Draw) -> None:
    d = draw(3, 9, 9)
    x = d.relu(d.conv(_chain(d, 4), 64, 1))
    d.head(x)
    assert check(d.trace()) == []


def test_fl201_leaves_networks_that_end_in_a_map_alone(draw: Draw) -> None:
    d = draw(3, 9, 9)
    d.conv(_chain(d, 6), 2, 1)
    assert check(d.trace()) == []


@pytest.mark.parametrize(("convs", "fires"), [(8, False), (9, True)])
def test_fl201_asks_more_of_depthwise(draw: Draw, convs: int, fires: bool) -> None:
    d = draw(8, 9, 9)
    x = d.start
    for _ in range(convs):
        x = d.relu(d.conv(x, 8, groups=8))
    d.head(x)
    # Fields of the inputs: 1, 3, 5 …; the ninth's is 17 = 2·9 − 1, which every position sees.
    assert bool(check(d.trace(), select=["FL201"])) is fires


def test_fl201_keeps_quiet_about_crumbs(draw: Draw) -> None:
    d = draw(3, 9, 9)
    x = d.relu(d.conv(_chain(d, 4), 8, path="wide"))
    wide = d.relu(d.conv(d.relu(d.conv(x, 400, 1)), 400, 1))
    d.head(d.relu(d.conv(d.relu(wide), 8, 1)))
    assert check(d.trace(), select=["FL201"]) == []


@pytest.mark.parametrize("status", ["whole", "data-dependent", "unknown"])
def test_fl201_does_not_judge_what_it_does_not_know(draw: Draw, status: str) -> None:
    d = draw(3, 9, 9)
    x = _chain(d, 6)
    d.head(d.relu(d.conv(x, 8)))
    d.layers = [
        replace(layer, field=None if layer.field is None else replace(layer.field, status=status))
        for layer in d.layers
    ]
    assert check(d.trace(), select=["FL201"]) == []


def test_fl201_gives_way_to_a_collapsed_map(draw: Draw) -> None:
    d = draw(3, 2, 2)
    x = d.relu(d.conv(d.relu(d.conv(d.start, 8, stride=2)), 8))
    d.head(x)
    assert [finding.code for finding in check(d.trace())] == ["SH101"]
    assert check(d.trace(), ignore=["SH101"]) == []


def test_fl203_prices_the_pixels_nobody_reads(draw: Draw) -> None:
    d = draw(3, 32, 32)
    made = d.conv(d.start, 16)
    d.head(d.relu(d.conv(d.relu(made), 32, 1, stride=2, path="sparse")))
    (finding,) = check(d.trace())
    assert (finding.code, finding.path) == ("FL203", "sparse")
    assert finding.measured["unread"] == 0.75
    assert finding.price.macs == made.macs * 3 // 4
    assert "1×1 kernel with stride 2" in finding.message
    assert "75 % of them are never looked at" in finding.message


def test_fl203_is_silent_beside_a_branch_that_looks_everywhere(draw: Draw) -> None:
    d = draw(3, 32, 32)
    x = d.relu(d.conv(d.start, 16))
    y = d.conv(d.relu(d.conv(x, 32, stride=2)), 32)
    d.head(d.relu(d.add(d.conv(x, 32, 1, stride=2), y)))
    assert check(d.trace()) == []


def test_fl203_is_silent_behind_a_preactivation(draw: Draw) -> None:
    d = draw(3, 32, 32)
    x = d.conv(d.start, 16)
    inside = d.relu(d.norm(x))
    y = d.conv(d.relu(d.conv(inside, 32, stride=2)), 32)
    d.head(d.relu(d.add(d.conv(x, 32, 1, stride=2), y)))
    assert check(d.trace()) == []


def test_fl203_fires_where_both_paths_step_over_the_same_pixels(draw: Draw) -> None:
    """ResNet v1: the stride on the leading 1×1 and on the projection."""
    d = draw(3, 32, 32)
    x = d.relu(d.conv(d.start, 16))
    y = d.conv(d.relu(d.conv(x, 8, 1, stride=2, path="reduce")), 32)
    d.head(d.relu(d.add(d.conv(x, 32, 1, stride=2, path="project"), y)))
    (finding,) = check(d.trace())
    assert finding.path == "reduce"
    assert finding.measured["readers"] == ["reduce", "project"]


def test_fl203_puts_the_readers_together(draw: Draw) -> None:
    d = draw(3, 32, 32)
    x = d.relu(d.conv(d.start, 16))
    parts = [d.conv(x, 8, 1, stride=2), d.conv(x, 8, (1, 3), stride=2)]
    d.head(d.relu(d.op("cat", *parts, shape=(1, 16, 16, 16))))
    (finding,) = check(d.trace(), select=["FL203"])
    assert finding.measured["unread"] == 0.5  # every second row: 1×3 covers the columns


def test_fl203_sees_dilation_that_meets_the_stride(draw: Draw) -> None:
    d = draw(3, 32, 32)
    d.head(d.relu(d.conv(d.start, 8, 3, stride=2, dilation=2)))
    (finding,) = check(d.trace(), select=["FL203"])
    assert finding.measured["unread"] == 0.75
    assert "dilation" in finding.fix
    d = draw(3, 32, 32)
    d.head(d.relu(d.conv(d.start, 8, 3, stride=2, dilation=3)))
    assert check(d.trace(), select=["FL203"]) == []


def test_fl203_sees_pools_and_not_single_pixels(draw: Draw) -> None:
    d = draw(3, 32, 32)
    d.head(d.pool(d.relu(d.conv(d.start, 8)), 1, 2))
    (finding,) = check(d.trace(), select=["FL203"])
    assert finding.fix == "make the kernel as large as the stride: 2×2."
    d = draw(3, 1, 1)
    d.head(d.relu(d.conv(d.start, 8, 1, stride=2)))
    assert check(d.trace(), select=["FL203"]) == []


def test_fl203_takes_every_other_reader_to_look_everywhere(draw: Draw) -> None:
    d = draw(3, 32, 32)
    x = d.relu(d.conv(d.start, 8))
    d.op("mean", x, shape=(1, 8))
    d.head(d.relu(d.conv(x, 8, 1, stride=2)))
    assert check(d.trace(), select=["FL203"]) == []
