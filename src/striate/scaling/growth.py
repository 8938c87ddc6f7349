"""How depth, width and resolution grow together: each rule a function of one number, φ.

Under every rule the multiply-accumulates of a convolutional network grow about as 2^φ, since they
are proportional to depth · width² · resolution² (Tan and Le 2019, section 3.3).  Rounding, and
layers that do not follow (a stem, a classifier), make it approximate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from striate.errors import InputError, choices

RuleName = Literal["compound", "depth", "width", "resolution", "dwr"]
RULES: tuple[RuleName, ...] = ("compound", "depth", "width", "resolution", "dwr")

TAN_AND_LE = (1.2, 1.1, 1.15)
"""α, β and γ of Tan and Le 2019, section 4."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """A rule: by what depth, width and resolution are multiplied for each unit of φ."""

    rule: str
    depth: float
    width: float
    resolution: float
    as_published: bool = False
    """Whether these are the coefficients of the paper."""

    def at(self, phi: float) -> tuple[float, float, float]:
        """Factors of depth, width and resolution at φ."""
        return self.depth**phi, self.width**phi, self.resolution**phi

    @property
    def cost(self) -> float:
        """By what the multiply-accumulates grow for each unit of φ: α · β² · γ²."""
        return self.depth * self.width**2 * self.resolution**2


def growth(
    rule: str = "compound",
    *,
    alpha: float | None = None,
    beta: float | None = None,
    gamma: float | None = None,
) -> Growth:
    """The rule of that name.

    ``compound``: depth α^φ, width β^φ, resolution γ^φ, by default the 1.2, 1.1 and 1.15 that Tan
    and Le 2019 found for their B0 (section 4).  ``depth``, ``width``, ``resolution``: that one
    alone.  ``dwr``: Dollár, Singh and Girshick 2021, equation 8 at α = 0.8: mostly width, so that
    activations, and with them the time on a GPU, grow about as the square root of the
    multiply-accumulates.  InputError for an unknown rule, for coefficients below 1, for α · β² · γ²
    outside 1.8 … 2.2, and for coefficients of a rule that has none.

    >>> growth("depth").at(2)
    (4.0, 1.0, 1.0)
    >>> round(growth().cost, 2)
    1.92
    """
    given = (("alpha", alpha), ("beta", beta), ("gamma", gamma))
    if rule != "compound" and any(value is not None for _, value in given):
        name = next(name for name, value in given if value is not None)
        raise InputError(f"--{name} is of the compound rule, not of {rule!r}; leave it out")
    if rule == "compound":
        a, b, c = (
            default if value is None else value
            for (_, value), default in zip(given, TAN_AND_LE, strict=True)
        )
        return _compound(a, b, c)
    root = math.sqrt(2)
    factors = {
        "depth": (2.0, 1.0, 1.0),
        "width": (1.0, root, 1.0),
        "resolution": (1.0, 1.0, root),
        "dwr": (2**0.1, 2**0.4, 2**0.05),
    }
    if rule not in factors:
        raise InputError(f"--rule {rule}: no such rule; {choices(rule, RULES)}")
    depth, width, resolution = factors[rule]
    return Growth(rule=rule, depth=depth, width=width, resolution=resolution)


def _compound(alpha: float, beta: float, gamma: float) -> Growth:
    for name, value in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
        if not 1 <= value <= 2:
            raise InputError(f"--{name} {value:g}: a coefficient is from 1 (no growth) to 2")
    paper = (alpha, beta, gamma) == TAN_AND_LE
    made = Growth(rule="compound", depth=alpha, width=beta, resolution=gamma, as_published=paper)
    if not 1.8 <= made.cost <= 2.2:
        raise InputError(
            f"α·β²·γ² = {alpha:g}·{beta:g}²·{gamma:g}² = {made.cost:.2f}, and it should be about "
            "2, so that the cost doubles with each φ; change one of the three"
        )
    return made
