"""Recall: faults planted into healthy networks are found, at the right layer, and nothing else."""

from __future__ import annotations

from pathlib import Path

from faults.kinds import KINDS, table
from mutants import plan, summary, verdicts


def test_planted_faults_are_found_where_they_are(tmp_path: Path) -> None:
    """A fast part of the bench, at its own thresholds: two mutants of a kind, seed 1.

    That the networks are healthy before is asserted while the mutants are planned.
    """
    judged = list(verdicts(plan(tmp_path, each=2, seed=1), tmp_path))
    names = [f"{one.mutant.kind} in {one.mutant.net}: {one.mutant.where}" for one in judged]
    said = [
        f"{name}: {[(finding.code, finding.path) for finding in one.findings]}"
        for name, one in zip(names, judged, strict=True)
    ]
    missed = [text for text, one in zip(said, judged, strict=True) if not one.found]
    misplaced = [text for text, one in zip(said, judged, strict=True) if not one.placed]
    strays = [
        f"{name}: {finding.code} at {finding.path}"
        for name, one in zip(names, judged, strict=True)
        for finding in one.stray
    ]
    assert {row[0] for row in summary(judged)} == {kind.name for kind in KINDS}
    assert len(judged) >= 60
    assert len(missed) <= 0.05 * len(judged), missed
    assert len(misplaced) <= 0.1 * len(judged), misplaced
    assert strays == []


def test_the_page_of_kinds_is_what_the_list_says() -> None:
    page = Path(__file__).resolve().parents[2] / "bench" / "faults" / "KINDS.md"
    assert page.read_text("utf-8") == table()
