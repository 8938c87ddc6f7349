"""When a training of a sweep is hopeless: the rule, and its words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from striate.training.state import standard_error

FROM, BEYOND = 1 / 2, 3.0

STOPPING = (
    "after half of its epochs or later, a training is stopped once another design that has no "
    "more MACs, parameters and activations was, after the same epoch, more accurate on the "
    "validation images by over three standard errors of the difference"
)
"""Such a design is on no front, whatever accuracy is weighed against, unless it overtakes late."""


@dataclass(frozen=True, kw_only=True)
class Rival:
    """Another design: (MACs, parameters, activations), and the curves of its seeds by epoch."""

    name: str
    costs: tuple[int, int, int]
    curves: Sequence[Mapping[int, float]]


def hopeless(
    curve: Mapping[int, float],
    *,
    costs: tuple[int, int, int],
    epochs: int,
    images: int,
    rivals: Sequence[Rival],
) -> str | None:
    """Why a training is stopped after the last epoch of ``curve``; None while it goes on.

    ``images``: of the validation split, whose standard error (Agresti and Coull 1998) decides.
    """
    epoch = max(curve, default=0)
    if images == 0 or epoch < math.ceil(FROM * epochs) or epoch >= epochs:
        return None
    own = curve[epoch]
    for rival in rivals:
        seen = [known[epoch] for known in rival.curves if epoch in known]
        if not seen or any(r > c for r, c in zip(rival.costs, costs, strict=True)):
            continue
        theirs = sum(seen) / len(seen)
        error = math.hypot(standard_error(own, images), standard_error(theirs, images))
        if theirs - own > BEYOND * error:
            return (
                f"stopped after epoch {epoch}: {rival.name}, which costs no more, was at "
                f"{theirs:.1%} then, and it at {own:.1%}"
            )
    return None
