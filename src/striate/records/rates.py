"""What a learning-rate range test found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

RULE = (
    "a tenth of the rate at which the smoothed loss was lowest: there it has stopped falling, and "
    "one order of magnitude lower it still fell well"
)


@dataclass(frozen=True, kw_only=True)
class RatePoint:
    """One step: its rate, its batch's loss before it, and the loss smoothed so far."""

    lr: float
    loss: float
    smooth: float


@dataclass(frozen=True, kw_only=True)
class RateCurve:
    """The steps of a range test, by rising rate.

    ``lowest``: the rate at which the smoothed loss was lowest; ``steepest``: at which it fell
    fastest by the rate's logarithm; ``suggestion`` by ``RULE``.  All three are None where the loss
    did not fall.  ``diverged``: the loss rose so far that the test ended early; where it did not,
    and ``lowest`` is the last rate, a higher one may be better still.  ``lr``: the recipe's rate.
    """

    network: str
    optimiser: str
    batch_size: int
    setting: str
    lr: float
    points: tuple[RatePoint, ...]
    lowest: float | None
    steepest: float | None
    suggestion: float | None
    diverged: bool

    @property
    def open_end(self) -> bool:
        """Whether the loss was lowest at the highest rate that was tried."""
        return self.lowest is not None and self.lowest == self.points[-1].lr

    def as_json(self) -> dict[str, Any]:
        """The document of ``striate lr``; what is not finite is null."""
        plain = asdict(self)
        for point in plain["points"]:
            for key, value in point.items():
                point[key] = value if abs(value) < float("inf") else None
        return {"striate": 1, **plain, "open_end": self.open_end, "rule": RULE}
