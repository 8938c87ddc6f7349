"""The rules against their papers."""

from __future__ import annotations

import math

import pytest

from striate.errors import InputError
from striate.scaling import RULES, growth


def test_the_papers_coefficients() -> None:
    """Tan and Le 2019, section 4: α = 1.2, β = 1.1, γ = 1.15, under α·β²·γ² ≈ 2."""
    by = growth()
    assert (by.depth, by.width, by.resolution) == (1.2, 1.1, 1.15)
    assert by.at(2) == (1.2**2, 1.1**2, 1.15**2)
    assert by.cost == pytest.approx(1.92, abs=0.005)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "compound"])
def test_every_other_rule_doubles_the_cost(rule: str) -> None:
    assert growth(rule).cost == pytest.approx(2)


def test_fast_scaling_bounds_activations() -> None:
    """Dollár et al. 2021, table 2: at α = 0.8 activations grow as s^0.6, near the √s of width."""
    by = growth("dwr")
    activations = by.depth * by.width * by.resolution**2
    assert math.log2(activations) == pytest.approx(0.6)
    width, depth = growth("width"), growth("depth")
    assert math.log2(width.depth * width.width * width.resolution**2) == pytest.approx(0.5)
    assert math.log2(depth.depth * depth.width * depth.resolution**2) == pytest.approx(1)


@pytest.mark.parametrize(
    ("rule", "coefficients", "message"),
    [
        ("wide", {}, "--rule wide: no such rule; choose from compound, depth"),
        ("depth", {"alpha": 1.2}, "--alpha is of the compound rule, not of 'depth'; leave it out"),
        ("compound", {"gamma": 0.9}, "--gamma 0.9: a coefficient is from 1 (no growth) to 2"),
        ("compound", {"alpha": 2.0, "beta": 1.5}, "α·β²·γ² = 2·1.5²·1.15² = 5.95, and it should"),
    ],
)
def test_what_is_no_rule(rule: str, coefficients: dict[str, float], message: str) -> None:
    with pytest.raises(InputError) as caught:
        growth(rule, **coefficients)
    assert str(caught.value).startswith(message)
