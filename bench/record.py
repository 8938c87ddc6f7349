"""A measurement's record: what was run, on what, and what came out.

``bench/results/*.json`` hold one record each; ``tools/bench_results.py`` writes
``bench/RESULTS.md`` from them.  A record holds measurements alone: means, errors and whether a
claim holds are computed from its rows when the page is written, so that none can be typed in.
"""

from __future__ import annotations

from math import exp, log, sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.stats import t as student

RESULTS = Path(__file__).resolve().parent / "results"

Cell = bool | int | float | str | None
"""None: not measured, or it failed; the record's notes say why."""


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
    """A column's mean over all rows (or what ``by`` says) must be at least (or at most) a limit.

    ``interval``: the whole 95 % interval of the mean, in every group.  ``share``: the column's sum
    as a share of the column ``per``.  ``missed``: what is known of a claim that does not hold; the
    page says both, and a claim that holds after all is as stale as one that no longer does.
    """

    text: str
    column: str
    by: Literal["mean", "geometric mean", "sum", "largest", "smallest", "interval", "share"] = (
        "mean"
    )
    per: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    missed: str = ""

    @model_validator(mode="after")
    def _one_limit(self) -> Claim:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a claim has one limit: at_least or at_most")
        if (self.by == "share") != (self.per is not None):
            raise ValueError("a claim by share, and no other, says per which column")
        return self

    def of(self, values: list[float]) -> float:
        """The one number of a column that the claim is about."""
        match self.by:
            case "mean":
                return fmean(values)
            case "share":
                raise ValueError("a share is of two columns; ask the record")
            case "geometric mean":
                return exp(fmean(log(value) for value in values))
            case "sum":
                return sum(values)
            case "largest":
                return max(values)
            case "smallest":
                return min(values)
            case "interval":
                low, high = interval(values)
                return high if self.at_least is None else low

    def holds(self, number: float) -> bool:
        """Whether the measured number is on the claim's side of the limit."""
        if self.at_least is not None:
            return number >= self.at_least
        return self.at_most is not None and number <= self.at_most


class Table(Part):
    """Some of a record's columns, shown together.  ``title`` stands above them."""

    title: str
    columns: tuple[str, ...]


class Picture(Part):
    """One column against another, means with standard errors, a line for each of ``series``.

    ``shared``: the value of ``series`` whose rows are where every line begins.  ``curve``: the
    column whose values are lines of their own within a series, through every row, without means.
    """

    title: str
    x: str
    y: str
    series: str
    shared: str | None = None
    curve: str | None = None


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
    standard error) over the rows is stated.  ``notes``: sentences that belong to the rows.
    ``group``: the column by which rows belong together; ``intervals``: columns whose mean and its
    95 % interval are stated for each group.  ``tables``: where one table of all columns would be
    too wide, those that are shown.
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
    group: str | None = None
    intervals: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    notes: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    picture: Picture | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Record:
        keys = [column.key for column in self.columns]
        for number, row in enumerate(self.rows, 1):
            if list(row) != keys:
                raise ValueError(f"row {number} has {', '.join(row)}; the columns are {keys}")
        shown = [key for table in self.tables for key in table.columns]
        if self.picture is not None:
            shown += [self.picture.x, self.picture.y, self.picture.series]
        shown += self.intervals if self.group is None else (*self.intervals, self.group)
        claimed = [key for one in self.claims for key in (one.column, one.per) if key is not None]
        for key in (*self.averaged, *claimed, *shown):
            if key not in keys:
                raise ValueError(f"no column {key!r}; the columns are {keys}")
        if "striate" not in self.versions or "python" not in self.versions:
            raise ValueError("versions must name striate and python")
        return self

    def groups(self) -> tuple[Cell, ...]:
        """What the rows are grouped by, in order; one None where by nothing."""
        return tuple(dict.fromkeys(row[self.group] for row in self.rows)) if self.group else (None,)

    def values(self, key: str, group: Cell = None) -> list[float]:
        """A column's numbers, row by row, of those that have one; TypeError for a text.

        ``group``: of the rows of this group alone.
        """
        found: list[float] = []
        for row in self.rows:
            if self.group is not None and group is not None and row[self.group] != group:
                continue
            cell = row[key]
            if cell is None:
                continue
            if isinstance(cell, str):
                raise TypeError(f"{key} holds {cell!r}, which is no number")
            found.append(float(cell))
        return found

    def number(self, claim: Claim) -> float:
        """What a claim is about; of several groups' intervals, the end nearest to breaking it."""
        if claim.per is not None:
            return sum(self.values(claim.column)) / sum(self.values(claim.per))
        if claim.by != "interval":
            return claim.of(self.values(claim.column))
        ends = [claim.of(self.values(claim.column, group)) for group in self.groups()]
        return max(ends) if claim.at_least is None else min(ends)

    def mean(self, key: str) -> float:
        """The column's mean over the rows."""
        return fmean(self.values(key))

    def standard_error(self, key: str) -> float | None:
        """The standard error of that mean; None for fewer than two rows."""
        values = self.values(key)
        return stdev(values) / sqrt(len(values)) if len(values) > 1 else None


def interval(values: list[float]) -> tuple[float, float]:
    """The 95 % interval of a mean, mean ± t(n − 1) · s / √n; ValueError for n < 2."""
    if len(values) < 2:
        raise ValueError("an interval takes two values or more")
    half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


def read_records(folder: Path = RESULTS) -> dict[str, Record]:
    """A folder's records by their files' stems, in order; ValueError names a broken one."""
    found: dict[str, Record] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = Record.model_validate_json(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
    return found
