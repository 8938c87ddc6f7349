"""A measurement's record: what was run, on what, and what came out.

``bench/results/*.json`` hold one record each; ``tools/bench_results.py`` writes
``bench/RESULTS.md`` from them.  A record holds measurements alone: means, errors and whether a
claim holds are computed from its rows when the page is written, so that none can be typed in.
"""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

RESULTS = Path(__file__).resolve().parent / "results"

Cell = bool | int | float | str


class Part(BaseModel):
    """Frozen; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Column(Part):
    """One measured quantity.  ``unit`` is written in the table's header.

    ``shown``: how a cell is written, a format specification (``.2%``, ``.1f``, ``d``).
    """

    key: str
    title: str
    unit: str = ""
    shown: str = ""


class Claim(Part):
    """The mean of a column over all rows must be at least (or at most) a limit."""

    text: str
    column: str
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> Claim:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a claim has one limit: at_least or at_most")
        return self

    def holds(self, mean: float) -> bool:
        """Whether the measured mean is on the claim's side of the limit."""
        if self.at_least is not None:
            return mean >= self.at_least
        return self.at_most is not None and mean <= self.at_most


class Hardware(Part):
    """The machine in words that name no machine: its kind, not its name."""

    cpu: str
    cores: Annotated[int, Field(ge=1)]
    memory_gib: Annotated[float, Field(gt=0)]
    gpu: str | None = None


class Record(Part):
    """One benchmark's measurements.

    ``commit``: what was checked out; ``changed`` says that the working tree differed from it.
    ``date``: the day it was measured, ``YYYY-MM-DD``.  ``averaged``: columns whose mean (and
    standard error) over the rows is stated.
    """

    record: Literal[1] = 1
    title: str
    what: str
    command: str
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    changed: bool
    date: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    hardware: Hardware
    versions: dict[str, str]
    seeds: tuple[int, ...]
    columns: tuple[Column, ...]
    rows: Annotated[tuple[dict[str, Cell], ...], Field(min_length=1)]
    averaged: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> Record:
        keys = [column.key for column in self.columns]
        for number, row in enumerate(self.rows, 1):
            if list(row) != keys:
                raise ValueError(f"row {number} has {', '.join(row)}; the columns are {keys}")
        for key in (*self.averaged, *(claim.column for claim in self.claims)):
            if key not in keys:
                raise ValueError(f"no column {key!r}; the columns are {keys}")
        if "striate" not in self.versions or "python" not in self.versions:
            raise ValueError("versions must name striate and python")
        return self

    def values(self, key: str) -> list[float]:
        """A column's numbers, row by row; TypeError where a cell is none."""
        found: list[float] = []
        for row in self.rows:
            cell = row[key]
            if isinstance(cell, str):
                raise TypeError(f"{key} holds {cell!r}, which is no number")
            found.append(float(cell))
        return found

    def mean(self, key: str) -> float:
        """The column's mean over the rows."""
        return fmean(self.values(key))

    def standard_error(self, key: str) -> float | None:
        """The standard error of that mean; None for fewer than two rows."""
        values = self.values(key)
        return stdev(values) / sqrt(len(values)) if len(values) > 1 else None


def read_records(folder: Path = RESULTS) -> dict[str, Record]:
    """A folder's records by their files' stems, in order; ValueError names a broken one."""
    found: dict[str, Record] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = Record.model_validate_json(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
    return found
