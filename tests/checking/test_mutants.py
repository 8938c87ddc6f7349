"""Recall: faults planted into healthy networks are found, at the right layer, and nothing else.

A fast part of ``bench/mutants.py``: of every kind one or two mutants, drawn by a fixed seed, and
the bench's own thresholds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.judge import Verdict
from faults.kinds import KINDS, table
from mutants import plan, summary, verdicts


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> list[Verdict]:
    """The mutants of seed 1, at most two of a kind.  Building the plan asserts healthy hosts."""
    folder = tmp_path_factory.mktemp("mutants")
    return list(verdicts(plan(folder, each=2, seed=1), folder))


def test_every_kind_is_planted(judged: list[Verdict]) -> None:
    assert {row[0] for row in summary(judged)} == {kind.name for kind in KINDS}
    assert len(judged) >= 60


def test_nineteen_of_twenty_are_found(judged: list[Verdict]) -> None:
    missed = [f"{one.mutant.kind}: {one.mutant.net}, {one.mutant.where}" for one in judged]
    missed = [name for name, one in zip(missed, judged, strict=True) if not one.found]
    assert len(missed) <= 0.05 * len(judged), missed


def test_nine_of_ten_are_at_the_right_layer(judged: list[Verdict]) -> None:
    wrong = [
        (one.mutant.kind, one.mutant.net, [(f.code, f.path) for f in one.findings])
        for one in judged
        if not one.placed
    ]
    assert len(wrong) <= 0.1 * len(judged), wrong


def test_nothing_is_said_of_layers_that_were_not_touched(judged: list[Verdict]) -> None:
    strays = [
        (one.mutant.kind, one.mutant.net, stray.code, stray.path)
        for one in judged
        for stray in one.stray
    ]
    assert strays == []


def test_the_page_of_kinds_is_what_the_list_says() -> None:
    page = Path(__file__).resolve().parents[2] / "bench" / "faults" / "KINDS.md"
    assert page.read_text("utf-8") == table()
