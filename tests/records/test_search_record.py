"""The choice of a search, against the arithmetic by hand."""

from __future__ import annotations

import math
import statistics

import pytest

from striate.records.search import Candidate, Proxy, judged


def candidate(name: str, scores: tuple[float, ...], macs: int = 200, **more: object) -> Candidate:
    known = {"coefficients": ((1.2, 1.1, 1.15),), "image": (3, 8, 8), "params": 10, "ratio": 2.0}
    return Candidate(name=name, scores=scores, macs=macs, **{**known, **more})  # type: ignore[arg-type] # known's values have many types


PROXY = Proxy(epochs=2, minutes=None, share=0.5, seeds=2)


def test_the_error_is_pooled_over_all_networks() -> None:
    rows = [(0.70, 0.74), (0.60, 0.62), (0.50, 0.56)]
    base, *rest = [candidate(str(number), row) for number, row in enumerate(rows)]
    result = judged(base, rest, PROXY, 1000)
    variance = statistics.mean(statistics.variance(row) for row in rows)
    assert result.error == pytest.approx(math.sqrt(variance / 2))
    assert result.pooled


def test_of_those_that_cannot_be_told_apart_the_cheapest_is_taken() -> None:
    """Deviations of 0.01 each way: an error of 0.01, and of a difference 0.0141."""
    base = candidate("base", (0.49, 0.51))
    best = candidate("best", (0.69, 0.71), macs=220)
    near = candidate("near", (0.678, 0.698), macs=190)
    far = candidate("far", (0.67, 0.69), macs=100)
    result = judged(base, [best, near, far], PROXY, 1000)
    assert result.error == pytest.approx(0.01)
    assert (result.best, result.tied, result.chosen) == ("best", ("best", "near"), "near")


def test_one_seed_has_the_error_of_its_images() -> None:
    result = judged(candidate("b", (0.5,)), [candidate("c", (0.7,))], PROXY, 100)
    assert result.error == pytest.approx(math.sqrt(0.6 * 0.4 / 100))
    assert not result.pooled


def test_a_perfect_score_still_has_an_error() -> None:
    result = judged(candidate("b", (1.0,)), [candidate("c", (1.0,))], PROXY, 50)
    assert result.error > 0


def test_what_was_not_trained_is_never_chosen() -> None:
    out = candidate("out", (), macs=1, rejected="the linter: SH101")
    result = judged(candidate("b", (0.9, 0.9)), [out, candidate("c", (0.2, 0.3))], PROXY, 50)
    assert result.chosen == "c"
    assert out.as_json()["mean"] is None


@pytest.mark.parametrize(
    ("proxy", "told"),
    [
        (PROXY, "2 epochs on 50 % of the training images, 2 seeds each"),
        (Proxy(epochs=1, minutes=None, share=1, seeds=1),
         "1 epoch on all of the training images, 1 seed each"),
        (Proxy(epochs=None, minutes=1.5, share=1, seeds=3),
         "1.5 minutes on all of the training images, 3 seeds each"),
    ],
)  # fmt: skip
def test_the_proxy_is_told(proxy: Proxy, told: str) -> None:
    assert proxy.told == told
