"""What a published claim is, as data, and what was measured of it.

Comes in: figures with their sources.  Goes out: ``Claim``, ``Group``, ``Verdict``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Tick = Callable[[int, int], None]
"""Called with (parts done, parts in all) while a group is measured."""
Measure = Callable[[Sequence[str], Tick], Iterator[tuple[str, float]]]
"""The names of claims (without their group's) to what is measured, one after another."""
Relation = Literal["=", "≥", "≤"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One published figure, or one inequality.

    ``name``: within its group.  ``what``: the claim, in a line.  ``source``: paper and table.
    ``relation``: of what is measured to ``claimed``.  ``tolerance``: how far, in the figure's own
    unit, it may miss; 0 is exact.
    """

    name: str
    what: str
    source: str
    claimed: float
    tolerance: float = 0.0
    relation: Relation = "="
    unit: str = ""

    def holds(self, measured: float) -> bool:
        """Whether it does; never for NaN.

        >>> half = Claim(name="x", what="", source="", claimed=2.0, tolerance=0.5)
        >>> half.holds(2.5), half.holds(1.4), half.holds(float("nan"))
        (True, False, False)
        """
        if self.relation == "≥":
            return measured >= self.claimed - self.tolerance
        if self.relation == "≤":
            return measured <= self.claimed + self.tolerance
        return abs(measured - self.claimed) <= self.tolerance


@dataclass(frozen=True, kw_only=True)
class Group:
    """Claims that are measured in the same way.

    ``minutes``: what the training behind it takes on two cores; None where none is needed.
    """

    name: str
    what: str
    claims: tuple[Claim, ...]
    measure: Measure
    minutes: float | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of one claim; ``name``: with its group's, ``group/claim``."""

    name: str
    claim: Claim
    measured: float

    @property
    def holds(self) -> bool:
        """Whether what was measured is what was claimed."""
        return self.claim.holds(self.measured)

    def as_json(self) -> dict[str, Any]:
        """One of the document's ``claims``; what is no number is null."""
        told = claim_json(self.name, self.claim)
        finite = self.measured == self.measured and abs(self.measured) != float("inf")
        return {**told, "measured": self.measured if finite else None, "holds": self.holds}


def claim_json(name: str, claim: Claim) -> dict[str, Any]:
    """A claim without what is measured of it."""
    return {
        "name": name,
        "what": claim.what,
        "source": claim.source,
        "relation": claim.relation,
        "claimed": claim.claimed,
        "tolerance": claim.tolerance,
        "unit": claim.unit,
    }
