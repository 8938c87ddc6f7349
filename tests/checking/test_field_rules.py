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


def test_fl201_begins_where_every_position_sees_all(draw: Draw) -> None:
    d = draw(3, 5, 5)
    d.head(_chain(d, 6))
    (finding,) = check(d.trace(), select=["FL201"])
    # Fields of the inputs: 1, 3, 5, 7, 9, 11.  The corners of a 5×5 map see all 5 px from 9 on:
    # 4 px to the one side of a corner, 4 to the other, and itself.
    assert finding.path == "c4"
    assert finding.measured["layers"] == ["c4", "c5"]
    assert finding.price.params == 2 * 8 * 8 * 9
    assert finding.price.macs == 2 * 8 * 8 * 9 * 25
    assert "sees the whole 5×5 image (its narrowest field is 9 px)" in finding.message
    assert "2 convolutions from here on" in finding.message


@pytest.mark.parametrize(("side", "fires"), [(5, True), (6, False)])
def test_fl201_names_the_image_that_keeps_every_layer_busy(
    draw: Draw, side: int, fires: bool
) -> None:
    d = draw(3, side, side)
    d.head(_chain(d, 5))
    found = check(d.trace(), select=["FL201"])
    assert bool(found) is fires
    for finding in found:
        assert finding.measured["productive_above_px"] == 5
        assert "images of more than 5 px" in finding.fix


def test_fl201_on_a_pooled_map_the_corners_lie_closer(draw: Draw) -> None:
    """Four positions eight pixels apart: 32 + 3·8 = 56 px let the first and the last see all."""
    d = draw(3, 32, 32)
    x = d.start
    for _ in range(3):
        x = d.pool(x, 2, 2)  # 8 px, 8 px apart
    for number in range(5):
        x = d.relu(d.conv(x, 8, path=f"c{number}"))  # inputs 8, 24, 40, 56, 72
    d.head(x)
    (finding,) = check(d.trace(), select=["FL201"])
    assert finding.measured["layers"] == ["c3", "c4"]
    assert finding.measured["productive_above_px"] == (72 + 8) // 2


def test_fl201_follows_the_narrowest_path(draw: Draw) -> None:
    d = draw(3, 5, 5)
    x = d.relu(d.conv(d.start, 8))
    for _ in range(10):
        x = d.relu(d.add(x, d.conv(d.relu(d.conv(x, 8)), 8)))
    d.head(x)
    assert check(d.trace()) == []


def test_fl201_wants_both_axes(draw: Draw) -> None:
    d = draw(3, 5, 64)
    d.head(_chain(d, 6))
    assert check(d.trace()) == []


def test_fl201_is_for_kernels_that_look_around(draw: Draw) -> None:
    d = draw(3, 5, 5)
    x = d.relu(d.conv(_chain(d, 4), 64, 1))
    d.head(x)
    assert check(d.trace()) == []


def test_fl201_leaves_networks_that_end_in_a_map_alone(draw: Draw) -> None:
    d = draw(3, 5, 5)
    d.conv(_chain(d, 6), 2, 1)
    assert check(d.trace()) == []


def test_fl201_keeps_quiet_about_crumbs(draw: Draw) -> None:
    d = draw(3, 5, 5)
    x = d.relu(d.conv(_chain(d, 4), 8, path="idle"))
    wide = d.relu(d.conv(d.relu(d.conv(x, 400, 1)), 400, 1))
    d.head(d.relu(d.conv(d.relu(wide), 8, 1)))
    assert check(d.trace(), select=["FL201"]) == []


@pytest.mark.parametrize("status", ["whole", "data-dependent", "unknown"])
def test_fl201_does_not_judge_what_it_does_not_know(draw: Draw, status: str) -> None:
    d = draw(3, 5, 5)
    d.head(_chain(d, 6))
    assert len(check(d.trace(), select=["FL201"])) == 1
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
    assert check(d.trace(), select=["FL201"]) == []


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
    assert "the 32×32 map, and so does `project`: 75 %" in finding.message


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


def test_fl203_does_not_judge_a_part_of_a_map(draw: Draw) -> None:
    """Shifted halves, as in NASNet's factorised reduction: others may read the rest."""
    d = draw(3, 32, 32)
    x = d.relu(d.conv(d.start, 8))
    shifted = d.op("slice", d.op("pad", x, shape=(1, 8, 33, 33)), shape=(1, 8, 32, 32))
    parts = [d.pool(x, 1, 2, "avg_pool2d"), d.pool(shifted, 1, 2, "avg_pool2d")]
    d.head(d.relu(d.conv(d.op("cat", *parts, shape=(1, 16, 16, 16)), 8)))
    assert check(d.trace(), select=["FL203"]) == []
