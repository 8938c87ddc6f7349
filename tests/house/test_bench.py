"""Benchmarks' records: what is refused, and that the page says what the records measured."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from _bench_pictures import drawn
from bench_results import section
from common import hardware
from record import Record, read_records


@pytest.fixture
def plain() -> dict[str, Any]:
    """A record of two rows whose mean is 0.75, with a standard error of 0.25."""
    return {
        "title": "Coins",
        "what": "Tossed twice.",
        "command": "python bench/coins.py",
        "commit": "0" * 40,
        "changed": False,
        "date": "2025-01-31",
        "hardware": {"cpu": "Abacus", "cores": 2, "memory_gib": 1.0},
        "versions": {"python": "3.11.0", "striate": "0.1.0"},
        "seeds": [0, 1],
        "columns": [
            {"key": "seed", "title": "seed", "shown": "d"},
            {"key": "heads", "title": "heads", "unit": "share", "shown": ".2f"},
        ],
        "rows": [{"seed": 0, "heads": 0.5}, {"seed": 1, "heads": 1.0}],
        "averaged": ["heads"],
        "claims": [{"text": "fair enough", "column": "heads", "at_least": 0.7}],
    }


def test_means_errors_and_claims_come_from_the_rows(plain: dict[str, Any]) -> None:
    coins = Record.model_validate(plain)
    assert coins.mean("heads") == 0.75
    assert coins.standard_error("heads") == 0.25
    assert coins.claims[0].holds(0.7)
    assert not coins.claims[0].holds(0.69)


@pytest.mark.parametrize(
    ("by", "number"),
    [
        ("mean", 3.0),
        ("geometric mean", 12 ** (1 / 3)),
        ("sum", 9.0),
        ("largest", 6.0),
        ("smallest", 1.0),
    ],
)
def test_a_claim_is_about_the_rows_that_have_a_number(
    plain: dict[str, Any], by: str, number: float
) -> None:
    coins = Record.model_validate(
        {
            **plain,
            "rows": [{"seed": n, "heads": value} for n, value in enumerate((1.0, 6.0, 2.0, None))],
            "claims": [{"text": "few", "column": "heads", "by": by, "at_most": number}],
        }
    )
    assert coins.number(coins.claims[0]) == pytest.approx(number)
    assert coins.claims[0].holds(number)
    assert not coins.claims[0].holds(number + 0.01)


def test_a_record_is_shown_in_several_tables(plain: dict[str, Any]) -> None:
    parts = [{"title": "Who", "columns": ["seed"]}, {"title": "What", "columns": ["heads"]}]
    rows = [{"seed": 0, "heads": 0.5}, {"seed": 1, "heads": None}]
    shown = section(
        "coins",
        Record.model_validate(
            {**plain, "rows": rows, "tables": parts, "notes": ["One coin rolled away."]}
        ),
    )
    assert "**Who**\n\n| seed |\n| ---: |\n| 0 |\n| 1 |" in shown
    assert "| heads (share) |\n| ---: |\n| 0.50 |\n| — |" in shown
    assert "One coin rolled away." in shown
    assert "mean of 1" in shown


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("commit", "abc", "String should match pattern"),
        ("rows", [], "at least 1 item"),
        ("rows", [{"seed": 0}], "row 1 has seed; the columns are"),
        ("averaged", ["tails"], "no column 'tails'"),
        ("versions", {"python": "3.11"}, "versions must name striate and python"),
        ("claims", [{"text": "x", "column": "heads"}], "a claim has one limit"),
        ("tables", [{"title": "x", "columns": ["tails"]}], "no column 'tails'"),
        ("mean", 0.99, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_record_is_refused(
    plain: dict[str, Any], tmp_path: Path, key: str, value: Any, message: str
) -> None:
    (tmp_path / "coins.json").write_text(json.dumps({**plain, key: value}))
    with pytest.raises(ValueError, match=message) as caught:
        read_records(tmp_path)
    assert str(caught.value).startswith("coins.json: ")


def test_the_page_is_what_the_records_say(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, root / "tools" / "bench_results.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_machine_is_described_without_its_name(
    root: Path,
) -> None:
    machine = hardware()
    assert machine.cores >= 1
    assert machine.memory_gib > 0
    assert platform.node() not in machine.model_dump_json()


def test_a_picture_is_drawn_from_the_rows_and_kept(plain: dict[str, Any], tmp_path: Path) -> None:
    plain["columns"].append({"key": "side", "title": "side"})
    for row, side in zip(plain["rows"], ("one", "other"), strict=True):
        row["side"] = side
    plain["picture"] = {"title": "Tosses", "x": "seed", "y": "heads", "series": "side"}
    coins = Record.model_validate(plain)
    file = tmp_path / "coins.svg"
    first = drawn(coins, file)
    assert all(word in first for word in ("<svg", "Tosses", "heads (share)", "other"))
    file.write_text(first.replace("Tosses", "Drawn by another version"))
    assert "Drawn by another version" in drawn(coins, file)
    plain["rows"][0]["heads"] = 0.25
    again = drawn(Record.model_validate(plain), file)
    assert "Drawn by another version" not in again
    assert again.splitlines()[-1] != first.splitlines()[-1]
    plain["picture"]["series"] = "none such"
    with pytest.raises(ValueError, match="no column 'none such'"):
        Record.model_validate(plain)
