"""What a search tries: every even way to spend a doubled cost."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.errors import InputError
from striate.scaling.grid import Coefficients, central, grid


@given(st.integers(1, 12))
def test_every_choice_doubles_the_cost_and_all_are_there(parts: int) -> None:
    found = grid(parts)
    assert found[0] == Coefficients(alpha=1.2, beta=1.1, gamma=1.15)
    assert len(found) == len(set(found)) == 1 + math.comb(parts + 2, 2)
    for one in found[1:]:
        assert one.alpha * one.beta**2 * one.gamma**2 == pytest.approx(2, abs=0.002)
        assert min(one.alpha, one.beta, one.gamma) >= 1
        assert sum(one.shares) == pytest.approx(1, abs=0.002)
        assert one.growth.cost == pytest.approx(2, abs=0.002)  # which scale takes as they are


def test_the_corners_come_first() -> None:
    """Whatever is left of a grid by ``--trials``, depth, width and resolution alone are in it."""
    assert {(one.alpha, one.beta, one.gamma) for one in grid(4)[1:4]} == {
        (2.0, 1.0, 1.0),
        (1.0, 1.4142, 1.0),
        (1.0, 1.0, 1.4142),
    }


def test_the_most_central() -> None:
    corners = grid(1)[1:]
    middle = Coefficients(alpha=1.26, beta=1.1225, gamma=1.1225)
    assert central([*corners, middle]) == middle
    assert central(corners[:1]) == corners[0]


@pytest.mark.parametrize("parts", [0, 13, -1])
def test_what_is_no_grid(parts: int) -> None:
    with pytest.raises(InputError) as caught:
        grid(parts)
    assert str(caught.value) == (
        f"--grid {parts}: the doubled cost is spent in 1 to 12 equal parts"
    )


def test_options_are_those_of_the_command() -> None:
    assert grid(1)[0].options == "--alpha 1.2 --beta 1.1 --gamma 1.15"
