"""What a search may be asked, and what it tells while it runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from striate.arch import Arch
from striate.records import EpochRecord
from striate.records.search import Candidate, Proxy, SearchResult
from striate.runs import Setting


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """What may be asked of a search.

    ``arch``: ``auto`` or a TARGET.  ``image``: of the base, ``32x32``.  ``grid``: into how many
    parts the doubled cost is cut.  ``trials``: networks that are trained at most, of the first of
    the grid.  ``epochs`` or ``minutes`` of each training (None: a quarter of ``fit``'s epochs);
    ``share`` of the training images; ``seeds`` of each network.  ``setting``: arithmetic of all
    trainings alike, by default the fastest for the base.  ``threads``: of one operation.  ``out``:
    the search's folder, which is gone on with where it holds the same search.
    """

    arch: str = "auto"
    image: str | None = None
    grid: int = 3
    trials: int | None = None
    epochs: int | None = None
    minutes: float | None = None
    share: float = 1.0
    seeds: int = 2
    divisor: int = 8
    setting: Setting | Literal["auto"] = "auto"
    threads: int | None = None
    out: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Begun:
    """The plan: the base, the candidates, and how many trainings there are."""

    folder: Path
    base: Candidate
    candidates: tuple[Candidate, ...]
    proxy: Proxy
    trainings: int


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training is about to begin (``done`` of all are over), of ``candidate``."""

    candidate: Candidate
    seed: int
    done: int


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One training is over: its validation accuracy; ``again``: it was found done."""

    candidate: Candidate
    seed: int
    done: int
    score: float | None
    again: bool
    why_not: str | None = None


@dataclass(frozen=True, kw_only=True)
class Searched:
    """The end: the result, and the file of the base that its coefficients are of."""

    folder: Path
    base: Arch
    base_file: Path
    data: str
    divisor: int
    result: SearchResult

    @property
    def options(self) -> str:
        """α, β and γ as options of ``striate scale``."""
        alpha, beta, gamma = self.result.coefficients
        divisor = "" if self.divisor == 8 else f" --divisor {self.divisor}"
        return f"--alpha {alpha:g} --beta {beta:g} --gamma {gamma:g}{divisor}"

    def as_json(self) -> dict[str, Any]:
        result = self.result
        alpha, beta, gamma = result.coefficients
        return {
            "striate": 1,
            "data": self.data,
            "folder": str(self.folder),
            "base": {"file": str(self.base_file), **result.base.as_json()},
            "proxy": asdict(result.proxy),
            "val_images": result.val_images,
            "candidates": [one.as_json() for one in result.candidates],
            "standard_error": result.error,
            "error_over_seeds": result.pooled,
            "best": result.best,
            "tied": list(result.tied),
            "chosen": result.chosen,
            "alpha": alpha,
            "beta": beta,
            "gamma": gamma,
            "command": f"striate scale {self.base_file} {self.options} --phi 1:3",
        }


SearchEvent = Begun | Training | EpochRecord | Trained | Searched
