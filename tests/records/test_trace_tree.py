"""The module tree holds every layer in order; runs are repetitions, and leave nothing out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from striate.records import Trace
from striate.records.trace_tree import Node, runs, span_of, tree


def test_the_tree_holds_the_layers_in_their_order(traced: tuple[nn.Module, Trace]) -> None:
    _, trace = traced
    assert list(tree(trace.layers)) == list(trace.layers)


def test_every_layer_is_in_a_node_of_its_path(traced: tuple[nn.Module, Trace]) -> None:
    def walk(node: Node) -> None:
        for part in node.parts:
            if isinstance(part, Node):
                assert part.path.rpartition(".")[0] == node.path
                walk(part)
            else:
                assert part.path == node.path

    walk(tree(traced[1].layers))


@given(st.text("abc", max_size=24))
def test_runs_cover_every_sign_once_and_repeat_what_they_say(signs: str) -> None:
    written = ""
    for run in runs(signs):
        assert run.start == len(written)
        written += signs[run.start : run.start + run.period] * run.times
    assert written == signs


@given(
    st.text("abc", min_size=1, max_size=5),
    st.integers(2, 9),
    st.sampled_from(["", "x", "xy", "xyz"]),
)
def test_a_repetition_is_found_whatever_stands_before_and_behind_it(
    pattern: str, times: int, before: str
) -> None:
    """One run covers it all, unless the pattern is longer than is looked for."""
    found = runs(before + pattern * times + "!")
    longest = max(run.times * run.period for run in found)
    assert len(pattern) > 4 or longest == len(pattern) * times


def test_names_of_repetitions() -> None:
    assert span_of([str(n) for n in range(1, 36)]) == "1–35"
    assert span_of(["", ""]) == ""
    assert span_of(["a1", "b2"]) == "a1, b2"
