"""What ``bench/trace.py`` and ``bench/zoo.py`` make of what they measured."""

from __future__ import annotations

from typing import Any

import pytest

from record import Hardware
from trace_table import PEERS, as_record, as_text, of, row_of
from trace_tools import TOOLS
from zoo import family, groups, notes, remarks

SIZES = {"one": (3, 8, 8), "two": (3, 8, 8)}


def cells() -> dict[str, list[dict[str, Any]]]:
    """Two models, three processes each; fvcore dies on the second, whose analysis is slow."""
    found: dict[str, list[dict[str, Any]]] = {}
    for model, factor in (("one", 1), ("two", 2)):
        for tool in TOOLS:
            seconds = {"torchinfo": 5.0, "fvcore": 20.0}.get(tool, 1.0) * factor
            found[f"{tool} {model}"] = [
                {"seconds": seconds * noise, "bytes": 300_000_000, "macs": 1e9, "forward": 0.1,
                 "trace": 0.1 * factor + 0.05, "again": 0.1}
                for noise in (0.5, 1.0, 7.0)
            ]  # fmt: skip
    found["fvcore two"] = [{"error": "died of SIGKILL", "bytes": 1}]
    found["ptflops one"][1:] = []
    found["striate two"] = [{"seconds": 2.0, "bytes": 440_000_000, "macs": 5e8}] * 3
    return found


def test_a_row_holds_medians_and_ratios() -> None:
    row = row_of(cells(), "one", (3, 8, 8))
    assert (row["striate_s"], row["torchinfo_s"], row["torchinfo_x"]) == (1.0, 5.0, 5.0)
    assert row["analysis_x"] == pytest.approx(1.5)
    assert row["above_mb"] == 0
    assert row["fvcore_macs"] == 1.0
    assert of(cells(), "fvcore", "two", "seconds") is None
    assert row_of(cells(), "two", (3, 8, 8))["fvcore_x"] is None


def test_a_run_becomes_a_record_that_hides_nothing() -> None:
    record = as_record(
        cells(), SIZES, command="python bench/trace.py", commit="0" * 40, changed=False,
        date="2025-01-31", hardware=Hardware(cpu="Abacus", cores=2, memory_gib=1.0),
        versions={"python": "3.11.0", "striate": "0.1.0"},
    )  # fmt: skip
    held = {claim.column: claim.holds(record.number(claim)) for claim in record.claims}
    assert held == {"torchinfo_x": True, "fvcore_x": True, "analysis_x": True, "above_mb": True}
    said = " ".join(record.notes)
    assert "fvcore fails on two: “died of SIGKILL”" in said
    assert "more than twice a bare forward for two (2.5 times: 250 ms for 100 ms)" in said
    assert "Measured fewer than 3 times, being slow: fvcore two, ptflops one." in said
    assert "torchinfo: the same total as striate for 1 of 2 models, within 1 % for 1;" in said
    assert "farthest off for two (+100.0%)" in said
    assert {key for table in record.tables for key in table.columns} == {
        column.key for column in record.columns
    }


def test_a_claim_that_fails_is_seen_to() -> None:
    broken = cells()
    broken["striate two"] = [{"seconds": 9.0, "bytes": 460_000_000, "macs": 1e9}]
    record = as_record(
        broken, SIZES, command="x", commit="0" * 40, changed=True, date="2025-01-31",
        hardware=Hardware(cpu="Abacus", cores=2, memory_gib=1.0),
        versions={"python": "3.11.0", "striate": "0.1.0"},
    )  # fmt: skip
    held = {claim.column: claim.holds(record.number(claim)) for claim in record.claims}
    assert held == {"torchinfo_x": False, "fvcore_x": True, "analysis_x": True, "above_mb": False}


def test_the_table_names_every_tool() -> None:
    text = as_text(cells(), list(SIZES))
    for name in PEERS:
        assert f"striate is faster than {name}" in text
    assert (
        "striate is faster than fvcore: 20.0 times (geometric mean; at least 20.0, 1 models)"
        in text
    )


ZOO: list[dict[str, Any]] = [
    {"model": "resnet18", "params": 10, "numel": 10, "macs": 7, "counter": 7, "unknown": [],
     "striate_s": 1.0, "bare_s": 2.0},
    {"model": "resnet50d", "params": 9, "numel": 10, "macs": 7, "counter": 5, "unknown": ["fft"],
     "striate_s": 1.0, "bare_s": 2.0,
     "reasons": [{"op": "attention", "why": "has no formula", "count": 1, "macs": -3},
                 {"op": "total", "why": None, "count": 1, "macs": 1}]},
    {"model": "vit_tiny", "failure": "TraceError: too small"},
    {"model": "vit_base", "params": 1, "numel": 1, "macs": 3, "unknown": [],
     "counter_failure": "AssertionError: no", "striate_s": 1.0, "bare_s": 2.0},
]  # fmt: skip


def test_families_of_the_zoo_add_up() -> None:
    resnets, vits = groups(ZOO)
    assert (resnets["family"], resnets["models"], resnets["params"], resnets["same"]) == (
        "resnet", 2, 1, 1,
    )  # fmt: skip
    assert (resnets["explained"], resnets["unexplained"]) == (0, 1)
    assert (vits["untraced"], vits["uncounted"], vits["params"]) == (1, 1, 1)
    assert (vits["models"], vits["striate_s"], vits["bare_s"]) == (2, 1.0, 2.0)
    assert [family(name) for name in ("tf_efficientnet_b0", "vit_base_p16", "resnext50_32x4d")] == [
        "efficientnet", "vit", "resnext",
    ]  # fmt: skip


def test_the_zoo_says_what_differs_and_what_failed() -> None:
    said = notes(ZOO)
    assert "Not traced to the end: vit_tiny (TraceError: too small)." in said
    assert "The counter fails on 1 models: AssertionError: no." in said
    assert any("-3 in all: attention: has no formula: resnet50d" in line for line in said)
    assert any("+1 in all: total: **not explained**: resnet50d" in line for line in said)
    assert remarks(ZOO[0]) == []
    assert remarks(ZOO[1]) == [
        "9 parameters, not 10",
        "not understood: fft",
        "counter -3: attention ×1: has no formula",
        "counter +1: total ×1: not explained",
    ]
    assert remarks(ZOO[2]) == ["not traced: TraceError: too small"]
