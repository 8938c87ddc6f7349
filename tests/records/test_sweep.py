"""Means over seeds and fronts, against the definitions written out."""

from __future__ import annotations

import json
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.records.sweep import (
    COSTS,
    Mean,
    SweepAxis,
    SweepData,
    SweepPoint,
    SweepResult,
    SweepRun,
    front,
)


def point(name: str, macs: int, *accuracies: float, **more: object) -> SweepPoint:
    runs = tuple(
        SweepRun(seed=n, state="finished", epochs=3, accuracy=a, val_accuracy=a / 2)
        for n, a in enumerate(accuracies)
    )
    given = {"base": "b", "series": ("b",), "axes": {}, "image": (1, 8, 8), "runs": runs}
    return SweepPoint(name=name, macs=macs, **{**given, **more})


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_the_standard_error_is_the_deviation_over_the_root_of_n(values: list[float]) -> None:
    found = Mean.of(values)
    assert found is not None
    assert found.mean == pytest.approx(statistics.mean(values))
    wanted = statistics.stdev(values) / math.sqrt(len(values))
    assert found.error == pytest.approx(wanted, abs=1e-12)


def test_one_seed_has_no_error_and_none_has_no_mean() -> None:
    assert Mean.of([0.5]) == Mean(mean=0.5, error=None, n=1)
    assert Mean.of([]) is None


def _beaten(one: SweepPoint, by: SweepPoint) -> bool:
    ours, theirs = one.judged("test"), by.judged("test")
    assert ours is not None
    assert theirs is not None
    at_least = by.macs <= one.macs and theirs.mean >= ours.mean
    return at_least and (by.macs < one.macs or theirs.mean > ours.mean)


@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from([0.1, 0.4, 0.4, 0.9])), max_size=8))
def test_on_the_front_is_who_nobody_beats(costs: list[tuple[int, float]]) -> None:
    points = [point(str(n), macs, accuracy) for n, (macs, accuracy) in enumerate(costs)]
    wanted = {one.name for one in points if not any(_beaten(one, by) for by in points)}
    found = front(points, "macs", "test")
    assert set(found) == wanted
    prices = [int(costs[int(name)][0]) for name in found]
    assert prices == sorted(prices)


def test_what_has_no_accuracy_or_no_latency_is_on_no_front() -> None:
    points = [point("a", 1), point("b", 2, 0.5), point("c", 3, 0.9, latency=0.1)]
    assert front(points, "macs", "test") == ("b", "c")
    assert front(points, "latency", "test") == ("c",)


def test_a_design_of_which_a_seed_was_stopped_has_no_mean() -> None:
    whole = point("a", 1, 0.5, 0.7)
    stopped = SweepRun(seed=2, state="stopped", epochs=3)
    assert point("a", 1, runs=(*whole.runs, stopped)).judged("test") is None
    waiting = SweepRun(seed=2, state="waiting", epochs=3)
    judged = point("a", 1, runs=(*whole.runs, waiting)).judged("test")
    assert judged is not None
    assert judged.n == 2


def test_the_document_is_json_and_names_the_judge() -> None:
    result = SweepResult(
        name="n",
        data=SweepData(name="digits", fingerprint="f", classes=10, images={"val": 4}),
        bases=("b",),
        axes=(SweepAxis(name="depth", values=("8", "14")),),
        rules=(),
        budget=("macs", (1e6,)),
        seeds=(0, 1),
        points=(point("a", 1, 0.5, 0.7), point("b", 2, 0.9, 0.1)),
        judge="validation",
        setting="fp32",
        machine=None,
        latency_batch=1,
        command="striate sweep",
        date="2020-01-01",
    )
    document = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert next(iter(document)) == "striate"
    assert document["front"] == {
        "macs": ["a"], "params": ["a"], "activations": ["a"], "latency": []
    }  # fmt: skip
    assert set(document["front"]) == set(COSTS)
    assert document["points"][0]["accuracy"] == {
        "mean": 0.6,
        "standard_error": pytest.approx(0.1),
        "n": 2,
    }
    assert document["points"][0]["val_accuracy"]["mean"] == 0.3
    assert document["budget"] == {"key": "macs", "limits": [1e6]}
