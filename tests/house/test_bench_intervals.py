"""Records with groups: the 95 % interval of a mean, and claims that ask it of every group."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest

from record import Claim, Record, interval


def test_the_interval_is_students() -> None:
    # Of 1 … 5: s = √2.5; the tables' t for four degrees of freedom is 2.776.
    low, high = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert low == pytest.approx(3 - 2.7764 * sqrt(2.5) / sqrt(5), abs=1e-4)
    assert high == pytest.approx(3 + 2.7764 * sqrt(2.5) / sqrt(5), abs=1e-4)


def test_one_value_has_no_interval() -> None:
    with pytest.raises(ValueError, match="two values or more"):
        interval([1.0])


def record(claim: dict[str, Any]) -> Record:
    """Group a: −1 ± 0.09·t; group b: 0.1, 0.3, 0.5, whose interval ends at 0.797."""
    rows = [("a", -1.1), ("b", 0.1), ("a", -1.0), ("b", 0.3), ("a", -0.9), ("b", 0.5)]
    return Record.model_validate(
        {
            "title": "Losses", "what": "Measured.", "command": "python bench/losses.py",
            "commit": "0" * 40, "changed": False, "date": "2025-01-31",
            "hardware": {"cpu": "Abacus", "cores": 2, "memory_gib": 1.0},
            "versions": {"python": "3.11.0", "striate": "0.1.0"}, "seeds": [0, 1, 2],
            "columns": [{"key": "net", "title": "network"}, {"key": "loss", "title": "loss"}],
            "rows": [{"net": net, "loss": loss} for net, loss in rows],
            "group": "net", "intervals": ["loss"],
            "claims": [{"text": "little is lost", "column": "loss", "by": "interval", **claim}],
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "holds"),
    [({"at_most": 0.8}, True), ({"at_most": 0.79}, False), ({"at_least": -1.25}, True),
     ({"at_least": -1.24}, False)],
)  # fmt: skip
def test_a_claim_about_intervals_holds_where_the_worst_end_of_all_groups_does(
    limit: dict[str, float], holds: bool
) -> None:
    measured = record(limit)
    claim = measured.claims[0]
    assert isinstance(claim, Claim)
    assert claim.holds(measured.number(claim)) is holds


def test_rows_belong_to_their_group() -> None:
    measured = record({"at_most": 1.0})
    assert measured.groups() == ("a", "b")
    assert measured.values("loss", "b") == [0.1, 0.3, 0.5]
    assert len(measured.values("loss")) == 6


def test_a_group_is_a_column() -> None:
    broken = record({"at_most": 1.0}).model_dump() | {"group": "model"}
    with pytest.raises(ValueError, match="no column 'model'"):
        Record.model_validate(broken)
