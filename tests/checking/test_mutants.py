"""Recall: faults planted into healthy networks are found, at the right layer, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from faults import plants_forward
from faults.hosts import Host
from faults.judge import judge, load
from faults.kinds import KINDS, table
from faults.program import Program
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


def test_a_finding_elsewhere_is_neither_placed_nor_in_order(tmp_path: Path) -> None:
    """The judge itself: the same fault, told to be at another line."""
    host = Host(Program("tutorial_net"), tmp_path)
    fault = next(one for one in plants_forward.plants(host) if one.kind == "never-used")
    network = load(fault.text, tmp_path)
    right = judge(fault, network, host.trace)
    assert (right.found, right.placed, right.stray) == (True, True, ())
    last = max(number for number, line in enumerate(fault.text.splitlines(), 1) if "fc2(x)" in line)
    elsewhere = replace(fault, lines=frozenset((last,)), gone=frozenset())
    wrong = judge(elsewhere, network, host.trace)
    assert (wrong.found, wrong.placed, len(wrong.stray)) == (True, False, 1)
    other = replace(fault, kind="softmax-at-end")
    assert not judge(other, network, host.trace).found


def test_the_page_of_kinds_is_what_the_list_says() -> None:
    page = Path(__file__).resolve().parents[2] / "bench" / "faults" / "KINDS.md"
    assert page.read_text("utf-8") == table()
