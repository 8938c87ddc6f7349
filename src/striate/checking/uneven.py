"""Whether gradients vanish or explode on their way through a network (AF704)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from statistics import median

from striate.records import Gradient
from striate.records.health import WatchedStep

FACTOR = 1e4
FEWEST = 4  # weights


@dataclass(frozen=True, kw_only=True)
class Uneven:
    """The medians over the first and last third of ``weights``; the path of the ``worst``."""

    first: float
    last: float
    third: int
    weights: int
    worst: str
    broken: bool

    @property
    def factor(self) -> float:
        """What the first are of the last."""
        return self.first / self.last if self.last else 0.0


def uneven(gradients: tuple[Gradient, ...], order: Mapping[str, int]) -> Uneven | None:
    """What is wrong with ``gradients``; None where nothing is.

    ``order``: of paths in the forward; paths that it has not stay as they come.
    """
    gradients = tuple(one for one in gradients if one.gradient > 0 or not isfinite(one.gradient))
    gradients = tuple(sorted(gradients, key=lambda one: order.get(one.path, len(order))))
    broken = next((one for one in gradients if not isfinite(one.gradient)), None)
    if broken is None and len(gradients) < FEWEST:
        return None
    third = max(1, len(gradients) // 3)
    found = Uneven(
        first=_ratio(gradients[:third]),
        last=_ratio(gradients[-third:]),
        third=third,
        weights=len(gradients),
        worst=(broken or gradients[0]).path,
        broken=broken is not None,
    )
    return None if broken is None and 1 / FACTOR < found.factor < FACTOR else found


def gradients_of(step: WatchedStep) -> tuple[Gradient, ...]:
    """Those of one step of the training that were finite."""
    return tuple(
        Gradient(
            parameter=one.parameter,
            path=one.parameter.rpartition(".")[0],
            gradient=one.gradient,
            weight=one.weight,
        )
        for one in step.weights
        if one.gradient is not None and one.weight is not None
    )


def _ratio(gradients: tuple[Gradient, ...]) -> float:
    return median(one.gradient / one.weight if one.weight else 0.0 for one in gradients)
