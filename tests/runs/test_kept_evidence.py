"""What was seen is kept to the last bit, and a broken file is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from striate.errors import RunError
from striate.records import Check, Evidence
from striate.runs.kept_evidence import load_evidence, save_evidence


def test_every_number_comes_back(tmp_path: Path) -> None:
    check = Check(name="sum", claim="It adds up", value=float("nan"), limit=1e-9, passed=False)
    pieces = [
        Evidence(
            name="maps.a",
            title="Grün",
            arrays={
                "map": np.array([[0.1, -np.inf], [np.nan, 3]], np.float32),
                "seen": np.arange(6, dtype=np.uint16).reshape(1, 2, 3)[:, ::-1],
                "none": np.zeros((0, 4), np.int64),
            },
            facts={"path": "a", "sizes": [1, 2.5], "deep": {"on": None}},
            checks=(check,),
        ),
        Evidence(name="maps.b", title="b", inapplicable="There is none."),
    ]
    place = tmp_path / "maps.safetensors"
    save_evidence(place, pieces)
    first, second = load_evidence(place)
    assert (first.name, first.title, dict(first.facts)) == ("maps.a", "Grün", pieces[0].facts)
    for name, array in pieces[0].arrays.items():
        assert first.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(first.arrays[name], array)
    assert np.isnan(first.checks[0].value)
    assert first.checks[0].limit == 1e-9
    assert first.withheld
    assert second == pieces[1]


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    place = tmp_path / "maps.safetensors"
    with pytest.raises(RunError, match=r"maps.safetensors: cannot be read"):
        load_evidence(place)
    place.write_bytes(b"no evidence")
    with pytest.raises(RunError, match=r"not evidence that striate wrote .*striate see makes it"):
        load_evidence(place)
