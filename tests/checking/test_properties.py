"""What must hold of every finding on every trace."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from striate.checking import check, rules
from striate.records import Trace

Draw = Callable[..., Any]

STEP = st.sampled_from([
    "conv", "strided", "pointwise", "sparse", "depthwise", "biased", "relu", "norm", "pool", "skip",
])  # fmt: skip
DRAWN = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _network(draw: Draw, steps: list[str], side: int, flat: bool) -> Trace:
    """A chain of steps, most of them faulty in some way."""
    d = draw(3, side, side)
    x = kept = d.conv(d.start, 8)
    for step in steps:
        if step == "conv":
            x = d.conv(x, 8)
        elif step == "strided":
            x = kept = d.conv(x, 8, stride=2)
        elif step == "pointwise":
            x = d.conv(x, 8, 1)
        elif step == "sparse":
            x = kept = d.conv(x, 8, 1, stride=2)
        elif step == "depthwise":
            x = d.conv(x, 8, groups=8)
        elif step == "biased":
            x = d.conv(x, 8, bias=True)
        elif step == "norm":
            x = d.norm(x)
        elif step == "pool" and min(x.shape[2:]) >= 2:
            x = kept = d.pool(x, 2, 2)
        elif step == "skip" and kept is not x:
            x = kept = d.add(kept, x)
        else:
            x = d.relu(x)
    end = d.linear(d.flatten(x), 600) if flat else d.head(x)
    d.linear(d.relu(end), 10)
    trace: Trace = d.trace()
    return trace


NETWORK = {
    "steps": st.lists(STEP, max_size=40),
    "side": st.integers(1, 64),
    "flat": st.booleans(),
}


@DRAWN
@given(**NETWORK)
def test_findings_are_places_of_the_trace_and_plain_data(
    draw: Draw, steps: list[str], side: int, flat: bool
) -> None:
    traced = _network(draw, steps, side, flat)
    paths = {layer.path for layer in traced}
    severities = {rule.code: rule.severity for rule in rules()}
    for finding in check(traced):
        assert finding.path in paths
        assert set(finding.measured.get("layers", ())) <= paths
        assert finding.severity == severities[finding.code]
        assert finding.message.endswith(".")
        assert "\n" not in finding.message
        price = finding.price
        assert 0 <= price.params <= traced.totals.params
        assert 0 <= price.macs <= traced.totals.macs
        assert json.loads(json.dumps(finding.as_json())) == finding.as_json()


@DRAWN
@given(**NETWORK)
def test_the_same_trace_gives_the_same_findings_each_once(
    draw: Draw, steps: list[str], side: int, flat: bool
) -> None:
    traced = _network(draw, steps, side, flat)
    before = replace(traced)
    first = check(traced)
    assert traced == before
    assert check(traced) == first
    assert len({(finding.code, finding.path) for finding in first}) == len(first)


USUAL = [rule.code for rule in rules() if not rule.opt_in]


@DRAWN
@given(**NETWORK, order=st.permutations(USUAL), take=st.integers(0, 9))
def test_rules_do_not_lean_on_each_other_s_order(
    draw: Draw, steps: list[str], side: int, flat: bool, order: list[str], take: int
) -> None:
    """Selecting is filtering: each subset, in any order, says what the whole says of it."""
    traced = _network(draw, steps, side, flat)
    some = order[:take] or order
    whole = check(traced)
    assert check(traced, select=some) == [f for f in whole if f.code in some]
    assert check(traced, ignore=some) == [f for f in whole if f.code not in some]


@DRAWN
@given(**NETWORK)
def test_where_a_layer_was_recorded_does_not_matter(
    draw: Draw, steps: list[str], side: int, flat: bool
) -> None:
    """Indices are names: other numbers for the same layers, the same findings."""
    traced = _network(draw, steps, side, flat)
    renamed = replace(
        traced,
        layers=tuple(
            replace(one, index=3 * one.index + 5, inputs=tuple(3 * i + 5 for i in one.inputs))
            for one in traced
        ),
    )
    assert check(renamed) == check(traced)
