"""RE401 and RE402 on traces drawn by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from striate.checking import check
from striate.records import Failure, Finding

Draw = Callable[..., Any]


def _meet(d: Any, *ends: Any, op: str = "add", hint: str | None = None) -> Finding:
    failure = Failure(
        path="block",
        op=op,
        shapes=tuple(end.shape for end in ends),
        message="sizes do not match",
        inputs=tuple(end.index for end in ends),
        hint=hint,
    )
    (finding,) = check(d.trace(failure))
    assert finding.path == "block"
    return finding


@pytest.mark.parametrize("skip_first", [True, False])
def test_re401_gives_the_projection_and_its_stride(draw: Draw, skip_first: bool) -> None:
    d = draw(3, 32, 32)
    skip = d.relu(d.conv(d.start, 64))
    branch = d.conv(d.relu(d.conv(skip, 128, stride=2)), 128)
    ends = (skip, branch) if skip_first else (branch, skip)
    finding = _meet(d, *ends)
    assert (finding.code, finding.severity) == ("RE401", "error")
    assert finding.message == (
        "a skip of 64×32×32 cannot be added to a branch of 128×16×16 (channels×height×width)."
    )
    assert finding.fix == (
        "put a 1×1 convolution from 64 to 128 channels with stride 2 on the skip."
    )
    assert finding.measured["skip"] == [1, 64, 32, 32]


def test_re401_channels_alone_need_no_stride(draw: Draw) -> None:
    d = draw(3, 32, 32)
    skip = d.relu(d.conv(d.start, 64))
    finding = _meet(d, skip, d.conv(skip, 96))
    assert finding.fix == "put a 1×1 convolution from 64 to 96 channels on the skip."


def test_re401_odd_sizes_round_as_strides_do(draw: Draw) -> None:
    d = draw(3, 15, 29)
    skip = d.relu(d.conv(d.start, 8))
    branch = d.conv(d.relu(d.conv(skip, 8, stride=2)), 8, stride=2)
    finding = _meet(d, skip, branch)  # 15×29 → 8×15 → 4×8
    assert finding.fix == "put a 1×1 convolution from 8 to 8 channels with stride 4 on the skip."


def test_re401_finds_missing_padding(draw: Draw) -> None:
    d = draw(3, 32, 32)
    skip = d.relu(d.conv(d.start, 8))
    branch = d.conv(d.relu(d.conv(skip, 8, padding=0, path="a")), 8, 5, padding=0, path="b")
    finding = _meet(d, skip, branch)  # 32 → 30 → 26
    assert finding.fix == "give `a` padding=1 and `b` padding=2, so that the branch keeps its size."


def test_re401_missing_padding_and_channels(draw: Draw) -> None:
    d = draw(3, 32, 32)
    skip = d.relu(d.conv(d.start, 8))
    finding = _meet(d, skip, d.conv(skip, 16, padding=0, path="a"))
    assert finding.fix == (
        "give `a` padding=1, so that the branch keeps its size, and put a 1×1 convolution from 8 "
        "to 16 channels on the skip."
    )


def test_re401_a_stride_on_the_skip_alone(draw: Draw) -> None:
    d = draw(3, 32, 32)
    x = d.relu(d.conv(d.start, 8))
    branch = d.conv(d.relu(d.conv(x, 16)), 16)
    finding = _meet(d, d.conv(x, 16, 1, stride=2), branch)
    assert "give a convolution of the branch stride 2" in (finding.fix or "")


def test_re401_concatenation_wants_sizes_not_channels(draw: Draw) -> None:
    d = draw(3, 57, 57)
    skip = d.relu(d.conv(d.start, 8))
    down = d.relu(d.conv(skip, 16, stride=2))
    up = d.op("upsample", down, shape=(1, 16, 58, 58))
    finding = _meet(d, skip, up, op="cat")
    assert "cannot be concatenated with" in finding.message
    assert finding.fix == "resize one of the maps to 57×57 first."


def test_re401_falls_back_on_the_trace_s_hint(draw: Draw) -> None:
    d = draw(3, 32, 32)
    skip = d.relu(d.conv(d.start, 8))
    branch = d.op("upsample", d.conv(skip, 8), shape=(1, 8, 45, 45))
    assert _meet(d, skip, branch, hint="size=32").fix == "size=32"


def test_re401_is_about_two_maps_of_the_image(draw: Draw) -> None:
    d = draw(3, 32, 32)
    x = d.conv(d.start, 8)
    position = Failure(
        path="embed", op="add", shapes=((1, 197, 8), (1, 50, 8)), message="no", inputs=(x.index,)
    )
    table = Failure(
        path="embed",
        op="add",
        shapes=((1, 8, 32, 32), (1, 8, 7, 7)),
        message="no",
        inputs=(x.index,),
    )
    gate = Failure(path="gate", op="mul", shapes=((1, 8, 32, 32), (1, 8, 7, 7)), message="no")
    for failure in (position, table, gate):
        assert [finding.code for finding in check(d.trace(failure))] == ["SH100"]


def test_re401_says_what_met_even_without_knowing_whence(draw: Draw) -> None:
    d = draw(3, 32, 32)
    failure = Failure(
        path="block", op="add", shapes=((1, 8, 32, 32), (1, 16, 16, 16)), message="no"
    )
    (finding,) = check(d.trace(failure))
    assert finding.code == "RE401"
    assert finding.measured["branch"] == [1, 16, 16, 16]


def _plain(d: Any, convs: int) -> Any:
    x = d.start
    for number in range(convs):
        x = d.relu(d.norm(d.conv(x, 4, path=f"c{number}")))
    return x


@pytest.mark.parametrize(("convs", "fires"), [(30, False), (31, True), (55, True)])
def test_re402_counts_weight_layers_as_the_paper_does(draw: Draw, convs: int, fires: bool) -> None:
    d = draw(3, 224, 224)
    d.head(_plain(d, convs))
    found = check(d.trace(), select=["RE402"])
    assert bool(found) is fires
    for finding in found:
        assert finding.path == "c0"
        assert finding.measured["depth"] == convs + 1
        assert finding.measured["to"] == d.layers[-1].path


def test_re402_the_depth_is_where_published_errors_turn(shared: Any, draw: Draw) -> None:
    """The deepest plain net no worse than a shallower one passes; the first worse one fires."""
    import json

    errors = json.loads((shared / "facts" / "cifar10.json").read_text())["error_percent"]
    assert errors["plain20"] < errors["plain32"] < errors["plain44"] < errors["plain56"]
    for depth, fires in ((20, False), (32, True), (44, True), (56, True)):
        d = draw(3, 224, 224)
        d.head(_plain(d, depth - 1))
        assert bool(check(d.trace(), select=["RE402"])) is fires


def test_re402_a_way_around_begins_the_count_anew(draw: Draw) -> None:
    d = draw(3, 224, 224)
    x = _plain(d, 20)
    x = d.relu(d.add(x, d.conv(x, 4)))
    d.head(d.relu(d.conv(x, 4)))
    assert check(d.trace(), select=["RE402"]) == []


def test_re402_an_offset_or_a_gate_is_no_way_around(draw: Draw) -> None:
    d = draw(3, 224, 224)
    x = _plain(d, 20)
    table = d.op("position", shape=(1, 4, 224, 224))
    x = d.op("add", x, table)
    gate = d.op("sigmoid", d.linear(d.flatten(d.gap(x)), 4))
    x = d.op("mul", x, gate)
    for _ in range(12):
        x = d.relu(d.conv(x, 4))
    d.head(x)
    (finding,) = check(d.trace(), select=["RE402"])
    # 20 convolutions, 12 more and the classifier; the gate's own dense layer is not in the way.
    assert finding.measured["depth"] == 33


def test_re402_weights_computed_from_weights_do_not_count(draw: Draw) -> None:
    d = draw(3, 224, 224)
    x = d.start
    for _ in range(20):
        weight = d.op("linear", shape=(4, 27), attrs={"in_features": 27, "out_features": 27})
        weight = d.op("linear", weight, shape=(4, 27), attrs=weight.attrs)
        x = d.relu(d.op("conv2d", x, weight, shape=(1, 4, 224, 224), attrs=d.conv(x, 4).attrs))
    d.head(x)
    assert check(d.trace(), select=["RE402"]) == []
