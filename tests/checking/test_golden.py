"""Precision: on well-known networks no error, and no warning that was not reviewed and found true.

``golden/warnings.toml`` holds the reviewed warnings and why each is true.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from peers import import_peer

sys.path.insert(0, str(Path(__file__).resolve().parent / "golden"))
from reviewed import (  # found by the path above
    ZOO,
    counted,
    expected,
    families,
    findings_of,
    folded,
    reviewed,
)

from striate.checking import rules

REVIEWED_WITH = "1.0.31"


@pytest.mark.parametrize("family", families())
def test_well_known_networks_are_warned_of_what_was_reviewed_alone(family: str) -> None:
    if family != ZOO:
        _needs_timm()
    names = families()[family]
    loud: list[str] = []
    found: Counter[tuple[str, str, str]] = Counter()
    for name in names:
        findings = findings_of(name)
        loud += [
            f"{name} {one.code} {one.path}: {one.message}"
            for one in findings
            if one.severity == "error"
        ]
        found.update(counted(name, (one for one in findings if one.severity == "warning")))
    assert loud == []
    assert found == expected(names)


def test_there_are_at_least_120_networks_of_at_least_20_families() -> None:
    timms = [name for family, names in families().items() if family != ZOO for name in names]
    assert len(timms) == len(set(timms)) >= 120
    assert len(families()) - 1 >= 20


def test_each_reviewed_warning_is_of_a_known_network_and_rule_and_says_why() -> None:
    known = {name for names in families().values() for name in names}
    codes = {rule.code for rule in rules()}
    for entry in reviewed():
        assert entry.code in codes, entry
        assert set(entry.networks) <= known, entry
        assert all(number > 0 for number in entry.networks.values()), entry
        assert entry.path == folded(entry.path), entry
        assert len(entry.why.split()) >= 8, entry
        assert "\n" not in entry.why, entry
    keys = Counter(key for entry in reviewed() for key in entry.counts())
    assert [key for key, number in keys.items() if number > 1] == []


@pytest.mark.parametrize(
    ("path", "fold"),
    [
        ("stages.0.blocks.12.conv2", "stages.*.blocks.*.conv2"),
        ("features.0", "features.*"),
        ("0.1", "*.*"),
        ("conv2d_1x1.conv3", "conv2d_1x1.conv3"),
        ("", ""),
    ],
)
def test_folding_drops_numbers_of_lists_alone(path: str, fold: str) -> None:
    assert folded(path) == fold


def _needs_timm() -> None:
    try:
        timm = import_peer("timm")
    except ImportError as error:
        pytest.skip(f"needs timm {REVIEWED_WITH}: {error}")
    if re.match(r"[\d.]*\d", timm.__version__).group() != REVIEWED_WITH:
        pytest.skip(f"reviewed with timm {REVIEWED_WITH}, and this is {timm.__version__}")
