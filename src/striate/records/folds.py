"""What came of the trainings of a cross-validation, fold by fold and in the mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

MEASURES = ("val_accuracy", "val_loss", "accuracy", "loss", "ece")
"""What is averaged over folds."""


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One finished fold.  Accuracies and ECE in 0…1.

    ``fold``: its number, from 1.  ``run``: its folder.  ``val_accuracy``, ``val_loss``: of the kept
    weights on the fold's own part, by which those weights were chosen; the loss is None where it is
    not finite.  ``accuracy``, ``loss``, ``ece``: on the test split, the same for all folds.
    """

    fold: int
    run: str
    val_accuracy: float
    val_loss: float | None
    accuracy: float
    loss: float
    ece: float
    epochs: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Folds:
    """All folds of a cross-validation, or those that are finished; ``asked``: of how many."""

    folder: str
    asked: int
    folds: tuple[Fold, ...]

    @property
    def mean(self) -> Mapping[str, float | None]:
        """Of each of MEASURES over the folds; None where there is no fold, or one has no number."""
        return {key: _mean(self._values(key)) for key in MEASURES}

    @property
    def deviation(self) -> Mapping[str, float | None]:
        """The sample's standard deviation (by n - 1) over the folds; None for fewer than two."""
        return {key: _deviation(self._values(key)) for key in MEASURES}

    def _values(self, key: str) -> list[float] | None:
        values: list[float | None] = [getattr(fold, key) for fold in self.folds]
        there = [value for value in values if value is not None]
        return there if there and len(there) == len(values) else None

    def as_json(self) -> dict[str, Any]:
        """The document of ``fit --folds``, and what folds.json holds."""
        return {
            "striate": 1,
            "folder": self.folder,
            "asked": self.asked,
            "folds": [asdict(fold) for fold in self.folds],
            "mean": dict(self.mean),
            "deviation": dict(self.deviation),
        }


def _mean(values: list[float] | None) -> float | None:
    return None if values is None else math.fsum(values) / len(values)


def _deviation(values: list[float] | None) -> float | None:
    mean = _mean(values)
    if values is None or mean is None or len(values) < 2:
        return None
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
