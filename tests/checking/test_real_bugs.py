"""Faults from public threads are found, at the right layer, with the right mend."""

from __future__ import annotations

import pytest
from real_bugs import Bug, all_bugs

from striate.checking import check
from striate.checking.rule import Given
from striate.tracing import trace


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")  # a bug that was reported
@pytest.mark.parametrize("bug", all_bugs(), ids=lambda bug: bug.name)
def test_the_fault_is_found_with_its_mend(bug: Bug) -> None:
    given = None if bug.batch is None else Given(batch=bug.batch)
    findings = check(trace(bug.make, bug.image, name=bug.name), given=given)
    there = [one for one in findings if (one.code, one.path) == (bug.code, bug.path)]
    said = [(one.code, one.path, one.fix) for one in findings]
    assert there, f"{bug.code} at {bug.path!r} is not among {said}"
    assert any(bug.mend in (one.fix or "") for one in there), said
    for edit in bug.edits:
        assert any(edit in one.edits for one in there), [one.edits for one in there]


def test_there_are_at_least_thirty_each_from_its_own_thread() -> None:
    threads = [bug.thread for bug in all_bugs()]
    assert len(threads) == len(set(threads)) >= 30
