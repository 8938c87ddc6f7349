"""Folded tables: nothing is lost, nothing counted twice, and repeated blocks stand once."""

from __future__ import annotations

from math import prod

import pytest
from torch import nn

from striate.records import Trace
from striate.records.trace_rows import Folding, Row, fitting_depth, flat, rows
from striate.records.trace_tree import depth_of


def together(made: list[Row], what: str) -> int:
    return sum(
        getattr(row.portion, what) * row.portion.times * row.inside
        for row in made
        if row.kind != "group"
    )


@pytest.mark.parametrize("depth", [None, 1, 2, 3, 9])
@pytest.mark.parametrize("repeats", [True, False])
def test_rows_come_to_the_whole_network(
    traced: tuple[nn.Module, Trace], depth: int | None, *, repeats: bool
) -> None:
    """Against the module's own parameters, which the tracer did not count."""
    module, trace = traced
    made = rows(trace.layers, Folding(depth=depth, every=True, repeats=repeats))
    assert together(made, "params") == sum(p.numel() for p in module.parameters())
    assert together(made, "macs") == trace.totals.macs
    assert together(made, "activations") == trace.totals.activations


def test_a_heading_is_the_sum_of_the_rows_below_it(traced: tuple[nn.Module, Trace]) -> None:
    made = rows(traced[1].layers, Folding(every=True))
    for place, row in enumerate(made):
        if row.kind != "group":
            continue
        below = []
        for inner in made[place + 1 :]:
            if inner.indent <= row.indent:
                break
            below.append(inner)
        times = row.portion.times * row.inside
        assert together(below, "params") == row.portion.params * times
        assert together(below, "macs") == row.portion.macs * times


def test_resnet152_is_about_a_screen() -> None:
    from striate.arch import zoo
    from striate.building import build
    from striate.tracing import trace

    found = trace(lambda: build(zoo("resnet152"), device="meta"), (3, 224, 224))
    made = rows(found.layers, Folding())
    assert 20 < len(made) < 50
    times = {row.portion.path: row.portion.times for row in made if row.portion.times > 1}
    # He et al. 2015, table 1: 3, 8, 36 and 3 blocks, of which the first of each has a projection.
    assert times == {
        "stages.0.blocks.1–2": 2, "stages.1.blocks.1–7": 7,
        "stages.2.blocks.1–35": 35, "stages.3.blocks.1–2": 2,
    }  # fmt: skip


def test_repetitions_that_differ_in_their_fields_alone_are_folded(resnet20: Trace) -> None:
    made = rows(resnet20.layers, Folding())
    first = next(row for row in made if row.portion.path == "stages.0.blocks.0–2")
    assert first.portion.times == 3
    assert first.portion.field is not None
    assert first.last is not None
    # Each 3×3 convolution adds 2 pixels at stride 1: the stem's 3, then 4 a block.
    assert (first.portion.field.size, first.last.size) == ((7, 7), (15, 15))


def test_blocks_that_take_turns_are_one_pattern(alternating: Trace) -> None:
    """The last pair shares its weights with the first: its parameters are not counted again."""
    made = rows(alternating.layers, Folding())
    pattern = next(row for row in made if row.portion.path == "stages.0–5")
    assert (pattern.kind, pattern.portion.times) == ("group", 3)
    again = [row for row in made if row.portion.path in ("stages.0", "stages.1")]
    assert [row.portion.params for row in again if row.kind != "layer"] == [0, 0]


def test_a_squeeze_gate_is_one_row(alternating: Trace) -> None:
    gates = [row for row in rows(alternating.layers, Folding()) if row.portion.module == "Gate"]
    assert {row.kind for row in gates} == {"module"}
    assert gates[0].portion.params == 8 * 4 + 4 + 4 * 8 + 8
    every = rows(alternating.layers, Folding(every=True, repeats=False))
    assert not any(row.kind == "module" for row in every)


def test_a_sum_at_the_end_of_a_block_is_the_block(resnet20: Trace) -> None:
    assert not any(row.layer.op == "add" for row in flat(rows(resnet20.layers, Folding())))


def test_what_is_left_out_costs_no_multiplication(traced: tuple[nn.Module, Trace]) -> None:
    _, trace = traced
    made = rows(trace.layers, Folding())
    assert together(made, "macs") == trace.totals.macs


def test_flat_rows_have_their_whole_path_and_all_their_repetitions(resnet20: Trace) -> None:
    made = {row.portion.path: row for row in flat(rows(resnet20.layers, Folding()))}
    convs = made["stages.0.blocks.0–2.conv1–2"]
    assert convs.portion.times == 6
    assert convs.label == "stages.0.blocks.0–2.conv1–2"
    assert sum(row.portion.times for row in made.values() if row.layer.op == "conv2d") == 19


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_nothing_stands_deeper_than_asked_for(traced: tuple[nn.Module, Trace], depth: int) -> None:
    """Except an operation that is alone in its module, which needs no folding."""
    for row in rows(traced[1].layers, Folding(depth=depth, repeats=False, every=True)):
        if depth_of(row.portion.path) > depth:
            assert len(traced[1][cut(row.portion.path, depth)]) == 1


def cut(path: str, depth: int) -> str:
    return ".".join(path.split(".")[:depth])


@pytest.mark.parametrize("most", [1, 10, 20, 60])
def test_the_depth_that_fits_is_the_deepest_that_does(
    traced: tuple[nn.Module, Trace], most: int
) -> None:
    layers, plain = traced[1].layers, Folding()
    depth = fitting_depth(layers, plain, most)
    if depth is None:
        assert len(rows(layers, plain)) <= most
        return
    assert len(rows(layers, plain)) > most
    assert depth == 1 or len(rows(layers, Folding(depth=depth))) <= most
    deeper = Folding(depth=depth + 1)
    assert len(rows(layers, deeper)) > most or rows(layers, deeper) == rows(layers, plain)


def test_bytes_keep_blocks_apart_only_where_they_are_shown(resnet20: Trace) -> None:
    loose = rows(resnet20.layers, Folding())
    strict = rows(resnet20.layers, Folding(also=("saved_bytes",)))
    assert len(strict) >= len(loose)
    saved = sum(layer.saved_bytes for layer in resnet20)
    assert together(rows(resnet20.layers, Folding(every=True, also=("saved_bytes",))),
                    "saved_bytes") == saved  # fmt: skip


def test_elements_of_the_conv_outputs_are_the_activations(resnet20: Trace) -> None:
    convs = [layer for layer in resnet20 if layer.op in ("conv2d", "linear")]
    assert sum(prod(layer.shape) for layer in convs) == together(
        rows(resnet20.layers, Folding()), "activations"
    )
