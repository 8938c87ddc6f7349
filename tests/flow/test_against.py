"""What became of what, against changes that were made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from striate.errors import TargetError, TraceError
from striate.flow.against import compare, trace_against
from striate.records import Layer, Totals, Trace
from striate.records.comparison import Comparison
from striate.tracing import trace

TOTALS = Totals(params=0, macs=0, activations=0, infer_bytes=0, train_bytes=0)


def net(*parts: nn.Module) -> Trace:
    return trace(nn.Sequential(*parts), (3, 32, 32))


def said(found: Comparison) -> list[tuple[str, str, set[str]]]:
    return [
        (pair.kind, pair.layer.path, set(pair.changes())) for pair in found if pair.kind != "same"
    ]


def made_up(names: list[str]) -> Trace:
    """A chain of layers whose parameters say which is which."""
    layers = [Layer(index=0, path="", op="input", inputs=(), shape=(1, 3, 8, 8))]
    for name in names:
        layers.append(
            Layer(
                index=len(layers), path=f"{len(layers)}", op="conv2d", inputs=(len(layers) - 1,),
                shape=(1, 4, 8, 8), params=1000 + ord(name),
            )
        )  # fmt: skip
    return Trace(name="made up", image=(3, 8, 8), layers=tuple(layers), totals=TOTALS)


def test_a_network_is_like_itself() -> None:
    found = trace_against("resnet20", "resnet20", None)
    assert found.count("same") == len(found.before)
    assert said(found) == []


def test_a_changed_kernel() -> None:
    parts = [nn.ReLU(), nn.Conv2d(8, 8, 1)]
    old = net(nn.Conv2d(3, 8, 3, padding=1), *parts)
    new = net(nn.Conv2d(3, 8, 5, padding=2), *parts)
    found = compare(old, new)
    assert said(found) == [
        ("changed", "0", {"kernel", "padding", "params", "macs", "field"}),
        ("changed", "1", {"field"}),
        ("changed", "2", {"field"}),
    ]
    assert found.pairs[1].changes()["params"] == (3 * 8 * 9 + 8, 3 * 8 * 25 + 8)


def test_an_insertion_into_a_sequential_renames_and_changes_nothing_else() -> None:
    old = net(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 16, 1), nn.Conv2d(16, 4, 1))
    new = net(
        nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 1), nn.Conv2d(16, 4, 1)
    )
    found = compare(old, new)
    assert said(found) == [("added", "1", set())]
    renamed = {p.before.path: p.after.path for p in found if p.before and p.after}
    assert renamed == {"": "", "0": "0", "1": "2", "2": "3", "3": "4"}


def test_a_removal() -> None:
    old = net(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    found = compare(old, net(nn.Conv2d(3, 8, 3), nn.ReLU()))
    assert said(found) == [("removed", "1", set())]
    back = compare(net(nn.Conv2d(3, 8, 3), nn.ReLU()), old)
    assert said(back) == [("added", "1", set())]


def test_renamed_modules_are_the_same() -> None:
    parts = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3)]

    def called(names: str) -> Trace:
        whole = nn.Sequential()
        for name, part in zip(names, parts, strict=True):
            whole.add_module(name, part)
        return trace(whole, (3, 32, 32))

    assert said(compare(called("abc"), called("xyz"))) == []


def test_another_size_changes_maps_and_costs_but_no_parameters() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.AdaptiveAvgPool2d(1))
    found = compare(trace(network, (3, 32, 32)), trace(network, (3, 64, 64)))
    conv = found.pairs[1]
    assert set(conv.changes()) == {"shape", "macs"}
    assert conv.changes()["macs"] == (3 * 9 * 8 * 32 * 32, 3 * 9 * 8 * 64 * 64)
    assert found.totals()["params"] == (3 * 9 * 8 + 8,) * 2


def test_a_deeper_network_of_a_family() -> None:
    """ResNet-34 has 8 more basic blocks than ResNet-18 (He et al. 2015, table 1)."""
    found = trace_against("resnet18", "resnet34", None)
    added = [pair.layer for pair in found if pair.kind == "added"]
    assert sum(layer.op == "conv2d" for layer in added) == 2 * 8
    assert found.count("removed") == 0
    grown = found.after.totals.params - found.before.totals.params
    assert sum(layer.params for layer in added) == grown


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from("abcdef"), max_size=9), st.lists(st.sampled_from("abcdef"), max_size=9)
)
def test_every_layer_of_both_is_there_once_and_in_order(old: list[str], new: list[str]) -> None:
    before, after = made_up(old), made_up(new)
    found = compare(before, after)
    assert [pair.before for pair in found if pair.before] == list(before.layers)
    assert [pair.after for pair in found if pair.after] == list(after.layers)


@settings(max_examples=100, deadline=None)
@given(st.permutations("abcdefgh"), st.sets(st.integers(0, 7), max_size=5))
def test_what_was_taken_out_is_what_is_missing(order: list[str], out: set[int]) -> None:
    """Of layers that can be told apart, exactly those that were taken out are removed."""
    kept = [name for place, name in enumerate(order) if place not in out]
    found = compare(made_up(order), made_up(kept))
    assert {pair.layer.index - 1 for pair in found if pair.kind == "removed"} == out
    assert found.count("added") == 0


def test_pairs_in_a_gap_are_those_that_resemble_each_other_most() -> None:
    old = net(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 16, 3), nn.Conv2d(16, 4, 3))
    new = net(nn.Conv2d(3, 8, 5, padding=1), nn.Conv2d(8, 20, 3), nn.Conv2d(20, 4, 3))
    assert [pair.kind for pair in compare(old, new)] == ["same", *["changed"] * 3]


def test_other_operations_never_take_each_others_place() -> None:
    for pair in trace_against("resnet20", "vgg16", "3x32x32"):
        if pair.before and pair.after:
            assert pair.before.op == pair.after.op


def test_large_gaps_are_aligned_by_their_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.flow.against._MOST_COMPARED", 4)
    found = trace_against("resnet20", "vgg16", "3x32x32")
    assert [pair.after for pair in found if pair.after] == list(found.after.layers)


def test_a_target_that_fails_is_named_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text(
        "from torch import nn\n\n\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(3, 8, 3), nn.Conv2d(9, 8, 3))\n"
    )
    for pair in (("resnet20", f"{path}:Net"), (f"{path}:Net", "resnet20")):
        with pytest.raises(TraceError) as caught:
            trace_against(*pair, "3x32x32")
        assert str(caught.value).startswith(f"{path}:Net: stopped at 1 (conv2d")
        assert "\n" not in str(caught.value)
    with pytest.raises(TargetError, match="resnet200: no such network"):
        trace_against("resnet20", "resnet200", None)


def test_json() -> None:
    old = net(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1))
    new = net(nn.Conv2d(3, 8, 1, stride=2), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1))
    document = compare(old, new).as_json()["against"]
    assert document["totals"]["params"] == {"before": 68, "after": 84}
    assert document["same"] == 1
    first, second, third = document["layers"]
    assert (first["change"], first["path"], first["was"]) == ("changed", "0", None)
    assert first["changes"]["stride"] == {"before": [1, 1], "after": [2, 2]}
    assert (second["change"], second["before"], second["after"]) == ("added", None, 2)
    assert (third["path"], third["was"]) == ("2", "1")
    assert third["changes"]["shape"] == {"before": [1, 4, 32, 32], "after": [1, 4, 16, 16]}
