"""A search for α, β and γ: what was tried, how it did, what is chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

Coefficients = tuple[float, float, float]
"""α, β and γ."""


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """The training by which candidates are compared.

    ``epochs`` of each, or ``minutes``; ``share`` of the training images; ``seeds`` of each.
    """

    epochs: int | None
    minutes: float | None
    share: float
    seeds: int

    @property
    def told(self) -> str:
        """``4 epochs on 50 % of the training images, 2 seeds each``."""
        length = f"{self.minutes:g} minutes" if self.epochs is None else _many(self.epochs, "epoch")
        share = "all" if self.share == 1 else f"{100 * self.share:g} %"
        return f"{length} on {share} of the training images, {_many(self.seeds, 'seed')} each"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One network of the search: the base itself, or what one or more coefficients round to.

    ``coefficients``: all that give it, the most central first; empty for the base.  ``ratio``: its
    MACs over the base's.  ``rejected``: why it is not trained, or None.  ``warned``: codes of the
    linter's warnings that the base has not.  ``scores``: validation accuracy (0…1) of each seed, in
    the order of the seeds.
    """

    name: str
    coefficients: tuple[Coefficients, ...]
    image: tuple[int, int, int]
    params: int
    macs: int
    ratio: float
    rejected: str | None = None
    warned: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()

    @property
    def mean(self) -> float:
        """Mean validation accuracy; NaN before the first seed is done."""
        return sum(self.scores) / len(self.scores) if self.scores else math.nan

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "mean": self.mean if self.scores else None,
        }


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """All candidates as they were tried (``base`` apart), and the choice.

    ``error``: the standard error of a candidate's mean, the same for all: from how far seeds of one
    network lie apart, pooled over all; from the number of validation images with one seed
    (``pooled`` is False).  ``tied``: names of those whose mean is within the standard error of a
    difference (√2 · ``error``) of the best; ``chosen`` is the cheapest of them in MACs.
    """

    base: Candidate
    candidates: tuple[Candidate, ...]
    proxy: Proxy
    val_images: int
    error: float
    pooled: bool
    best: str
    chosen: str
    tied: tuple[str, ...]

    def named(self, name: str) -> Candidate:
        """The candidate of that name."""
        return next(one for one in self.candidates if one.name == name)

    @property
    def coefficients(self) -> Coefficients:
        """The most central of those that give the chosen network."""
        return self.named(self.chosen).coefficients[0]


def judged(
    base: Candidate, candidates: Sequence[Candidate], proxy: Proxy, val_images: int
) -> SearchResult:
    """The result of candidates that have a score for every seed, or a reason why not.

    At least one has scores.
    """
    done = [one for one in candidates if one.scores]
    error, pooled = _error([base, *done], val_images)
    best = max(done, key=lambda one: (one.mean, -one.macs))
    tied = [one for one in done if best.mean - one.mean <= math.sqrt(2) * error]
    chosen = min(tied, key=lambda one: (one.macs, one.params))
    return SearchResult(
        base=base,
        candidates=tuple(candidates),
        proxy=proxy,
        val_images=val_images,
        error=error,
        pooled=pooled,
        best=best.name,
        chosen=chosen.name,
        tied=tuple(one.name for one in tied),
    )


def _error(done: Sequence[Candidate], val_images: int) -> tuple[float, bool]:
    """Standard error of a mean over seeds, and whether it was measured over seeds."""
    squares = sum((score - one.mean) ** 2 for one in done for score in one.scores)
    freedom = sum(len(one.scores) - 1 for one in done if one.scores)
    seeds = min(len(one.scores) for one in done if one.scores)
    if freedom > 0:
        return math.sqrt(squares / freedom / seeds), True
    middle = sum(one.mean for one in done) / len(done)
    return math.sqrt(max(middle * (1 - middle), 0.25 / val_images) / val_images), False


def _many(value: int, noun: str) -> str:
    return f"{value} {noun}{'' if value == 1 else 's'}"
