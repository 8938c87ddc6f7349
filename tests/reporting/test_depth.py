"""Sections along the depth: every number that was measured is there, once, and well formed."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from striate.records import Check, Evidence
from striate.reporting.bars import bar
from striate.reporting.depth import depth_section
from striate.reporting.pictures import Photos
from striate.reporting.stream import ledger_section, paths_section, stream_section

PASSED = Check(name="sum", claim="Parts and logit", value=1e-9, limit=1e-4, passed=True)
FAILED = Check(name="sum", claim="Parts and logit", value=0.3, limit=1e-4, passed=False)


def _parsed(html: str) -> ElementTree.Element:
    closed = re.sub(r"(<img[^>]*)>", r"\1/>", html)
    return ElementTree.fromstring(f"<div>{closed}</div>")


def _cells(html: str) -> list[list[str]]:
    return [
        ["".join(cell.itertext()).strip() for cell in row]
        for row in _parsed(html).findall(".//tbody/tr")
    ]


def _stream(**own: object) -> list[Evidence]:
    about = {"names": ["a", "b"], "images": 50, "split": "test"}
    strip = Evidence(
        name="stream.strip",
        title="Stream",
        arrays={
            "norm": np.array([1.5, 2.5]),
            "ratio": np.array([1.0, 0.5]),
            "share": np.array([0.25, -0.1]),
            "cosine": np.array([-0.5, np.nan]),
        },
        facts=about,
        checks=(PASSED,),
    )
    lens = Evidence(
        name="stream.lens",
        title="Lens",
        arrays={
            "accuracy": np.array([0.11, 0.4, 0.9]),
            "loss": np.zeros(3),
            "agreement": np.array([0.12, 0.45, 1]),
        },
        facts={**about, "names": ["start", "a", "b"]},
        checks=(PASSED,),
    )
    lesions = Evidence(
        name="stream.lesions",
        title="Lesions",
        arrays={"accuracy": np.array([0.3, 0.8]), "settled": np.array([0.6, 0.85])},
        facts={**about, "whole": 0.9, "whole_settled": 0.88, "unit": "x", "settled_on": 9},
        checks=(PASSED,),
    )
    return [strip, lens, lesions]


def test_every_block_has_one_row() -> None:
    html = stream_section(_stream())
    gap = "\u00a0"
    assert _cells(html) == [
        ["a", "1.5", f"25{gap}%", "−0.50", f"40{gap}%", f"45{gap}%", f"30{gap}%", f"60{gap}%"],
        ["b", "2.5", f"−10{gap}%", "·", f"90{gap}%", f"100{gap}%", f"80{gap}%", f"85{gap}%"],
    ]
    assert f"before the first it is 11{gap}%" in html
    assert html.count("Parts and logit") == 1  # one check behind all three, said once


def test_a_part_that_failed_has_no_column() -> None:
    strip, lens, lesions = _stream()
    failing = Evidence(
        name=lens.name, title=lens.title, arrays=lens.arrays, facts=lens.facts, checks=(FAILED,)
    )
    html = stream_section([strip, failing, lesions])
    assert len(_cells(html)[0]) == 6
    assert "Withheld: " in html
    assert "sum is 0.3" in html


def test_without_a_stream_the_reason_stands_alone() -> None:
    why = [Evidence(name=f"stream.{part}", title="", inapplicable="No skip.") for part in "ab"]
    html = stream_section(why)
    assert html == '<p class="inapplicable">No skip.</p>'


def test_a_ledger_ends_with_the_logit() -> None:
    piece = Evidence(
        name="ledger.0",
        title="Who wrote",
        arrays={
            "written": np.array([[0.5, 0.25], [2.0, -1.0], [0.25, 0.0], [0.25, 0.5]]),
            "picture": np.zeros((1, 4, 4), np.uint8),
        },
        facts={
            "parts": [
                ["image", "", "image"],
                ["b", "b", "block"],
                ["x", "", "bias"],
                ["y", "", "bias"],
            ],
            "classes": ["cat", "<dog>"],
            "logits": [3.0, -0.25],
            "picture": "p.png",
            "label": None,
            "why": "The first.",
            "notes": ["A note."],
        },
        checks=(PASSED,),
    )
    html = ledger_section([piece], Photos(pixel_range=(0, 255)))
    assert _cells(html) == [
        ["image", "+0.500", "+0.250", "+0.250"],
        ["b", "+2.000", "−1.000", "+3.000"],
        ["2 biases on the way", "+0.500", "+0.500", "+0.000"],
        ["logit", "+3.000", "−0.250", "+3.250"],
    ]
    assert "&lt;dog&gt;" in html
    assert "A note." in html


def test_paths_are_counted_in_full() -> None:
    piece = Evidence(
        name="paths",
        title="Paths",
        arrays={
            "gradient_norms": np.array([3.0, 4.0]),
            "gradient_shares": np.array([1.25, -0.25]),
            "path_shares": np.array([0.5, 0.5]),
        },
        facts={
            "counts": ["1", "1234567890123"],
            "branches": 1,
            "class": "cat",
            "picture": "p.png",
            "whole": 5.0,
        },
        checks=(PASSED,),
    )
    rows = _cells(paths_section(piece))
    assert [row[1] for row in rows] == ["1", "1.23e+12"]
    assert [row[4] for row in rows] == ["+125.0%", "−25.0%"]
    assert "together they are 7, the gradient's is 5." in paths_section(piece)


def test_layers_by_depth() -> None:
    names = ["a", "b"]
    saturation = Evidence(
        name="depth.saturation",
        title="Saturation",
        arrays={
            "share": np.array([0.5, 1.0]),
            "directions": np.array([4, 3]),
            "channels": np.array([8, 3]),
            "depths": np.array([1, 2]),
        },
        facts={"names": names, "level": 0.99, "images": 5, "split": "test"},
        checks=(PASSED,),
    )
    likeness = Evidence(
        name="depth.likeness",
        title="Likeness",
        arrays={"cka": np.array([[1, 0.25], [0.25, 1]]), "chance": np.zeros((2, 2))},
        facts={"names": names, "images": 5, "shuffles": 9, "split": "test"},
        checks=(PASSED,),
    )
    probes = Evidence(
        name="depth.probes",
        title="Probes",
        arrays={
            "accuracy": np.array([0.5, 0.75]),
            "before": np.array([0.4, 0.3]),
            "depths": np.array([1, 2]),
        },
        facts={
            "names": names, "rises_until": "b", "whole": 0.8, "baseline": 0.5, "converged": 1,
            "trained_on": 9, "images": 5, "split": "test",
        },
        checks=(PASSED,),
    )  # fmt: skip
    shattering = Evidence(
        name="depth.shattering",
        title="Shattering",
        arrays={
            "cosine": np.array([0.5, 1]),
            "before": np.array([0.25, 1]),
            "twin": np.array([-0.05, np.nan]),
            "depths": np.array([1, 2]),
        },
        facts={"names": names, "images": 5, "split": "test"},
        checks=(PASSED,),
    )
    html = depth_section([probes, saturation, likeness, shattering])
    cells = _cells(html)
    gap = "\u00a0"
    assert cells[:2] == [["a", "1", f"50{gap}%", f"40{gap}%"], ["b", "2", f"75{gap}%", f"30{gap}%"]]
    assert cells[2][3] == "4 of 8"
    assert cells[6:] == [["a", "1", "0.50", "0.25", "−0.05"], ["b", "2", "1.00", "1.00", "·"]]
    assert cells[4:6] == [["a", "·", "0.25"], ["b", "0.25", "1.00"]]
    assert "1 fit had not come to its end." in html
    assert html.count('<tr class="marked"') == 1
    none = depth_section([Evidence(name="depth.probes", title="", inapplicable="No images.")])
    assert none == '<p class="inapplicable">No images.</p>'


@pytest.mark.parametrize(
    ("value", "signed", "x", "width"),
    [(2.0, False, 0, 32), (4.0, False, 0, 64), (2.0, True, 32, 16), (-4.0, True, 0, 32)],
)
def test_bars_are_to_scale(value: float, signed: bool, x: float, width: float) -> None:
    drawn = _parsed(bar(value, 4.0, "n", signed=signed)).findall(".//rect")[1]
    assert (float(drawn.get("x", "")), float(drawn.get("width", ""))) == (x, width)
    assert drawn.get("class") == ("minus" if value < 0 else "plus")
