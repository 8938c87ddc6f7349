"""Which α, β and γ a search tries: an even grid over all ways to spend a doubled cost."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from striate.errors import InputError
from striate.scaling.growth import TAN_AND_LE, Growth, growth

FINEST = 12


@dataclass(frozen=True, kw_only=True, order=True)
class Coefficients:
    """α, β and γ: by what depth, width and resolution are multiplied at φ = 1."""

    alpha: float
    beta: float
    gamma: float

    @property
    def growth(self) -> Growth:
        """The compound rule with them."""
        return growth(alpha=self.alpha, beta=self.beta, gamma=self.gamma)

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of the cost's logarithm, what is spent on depth, width and resolution; about 1 in all."""
        return math.log2(self.alpha), 2 * math.log2(self.beta), 2 * math.log2(self.gamma)

    @property
    def options(self) -> str:
        """The same as options of ``striate scale``."""
        return f"--alpha {self.alpha:g} --beta {self.beta:g} --gamma {self.gamma:g}"


def grid(parts: int) -> tuple[Coefficients, ...]:
    """Every way to spend the doubled cost in ``parts`` equal shares, and the published one.

    α = 2^(i/parts), β = 2^(j/2·parts), γ = 2^(k/2·parts) with i + j + k = parts, so that
    α·β²·γ² = 2 to four digits: depth alone, width alone, resolution alone, and all between.  With
    them the 1.2, 1.1 and 1.15 of Tan and Le 2019.  Each is as far as can be from those before it,
    so that the first few cover the whole.  InputError for less than 1 part and for more than 12.

    >>> [one.alpha for one in grid(1)]
    [1.2, 2.0, 1.0, 1.0]
    >>> len(grid(3))
    11
    """
    if not 1 <= parts <= FINEST:
        raise InputError(f"--grid {parts}: the doubled cost is spent in 1 to {FINEST} equal parts")
    alpha, beta, gamma = TAN_AND_LE
    paper = Coefficients(alpha=alpha, beta=beta, gamma=gamma)
    rest = [
        Coefficients(
            alpha=_power(i / parts), beta=_power(j / parts / 2), gamma=_power(k / parts / 2)
        )
        for i in range(parts, -1, -1)
        for j in range(parts - i, -1, -1)
        for k in (parts - i - j,)
    ]
    found = [paper]
    while rest:
        further = max(rest, key=lambda one: round(min(_apart(one, other) for other in found), 6))
        found.append(further)
        rest.remove(further)
    return tuple(found)


def central(some: Iterable[Coefficients]) -> Coefficients:
    """The one nearest to the mean of all."""
    known = list(some)
    mean = [sum(axis) / len(known) for axis in zip(*(one.shares for one in known), strict=True)]
    return min(known, key=lambda one: round(math.dist(one.shares, mean), 6))


def _power(exponent: float) -> float:
    return round(2**exponent, 4)


def _apart(one: Coefficients, other: Coefficients) -> float:
    return math.dist(one.shares, other.shares)
