"""Errors and trust on the page: every number that was measured, and the rule it was measured by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from made_evidence import FAILED, HELD

from striate.records import Calibration, Evidence
from striate.reporting import ReportInput, render_report
from striate.reporting.pictures import Photos
from striate.reporting.trust import labels_section, pairs_part, slices_section, typical_section

GAP = "\u00a0"
PHOTOS = Photos()
IMAGES = np.zeros((3, 1, 8, 8), np.uint8)
CLASSES = ("cat", "<dog>")


def piece(name: str, arrays: dict[str, np.ndarray], facts: dict[str, object]) -> Evidence:
    return Evidence(name=name, title=name, arrays=arrays, facts=facts, checks=(HELD,))


def test_confusions_have_pictures_and_counts() -> None:
    html = pairs_part(
        piece(
            "errors.pairs",
            {
                "images": IMAGES,
                "pair": np.array([0, 0, 1]),
                "indices": np.array([4, 5, 6]),
                "confidence": np.array([0.9, 0.8, 0.7]),
            },
            {
                "pairs": [
                    {"true": "cat", "said": "<dog>", "count": 12, "of": 50},
                    {"true": "<dog>", "said": "cat", "count": 1, "of": 40},
                ],
                "total": 20,
                "kinds": 4,
                "paths": ["a.png", "", ""],
            },
        ),
        PHOTOS,
    )
    assert "cat taken for &lt;dog&gt;: 12 of 50" in html
    assert html.count("<img") == 3
    assert f"a.png: a cat taken for &lt;dog&gt; with 90.0{GAP}%" in html
    assert "The 2 commonest of 4 confusions, 13 of 20 mistakes" in html
    assert "<dog>" not in html


def test_slices_say_what_chance_would_do() -> None:
    thirds = [{"name": name, "right": 30, "images": 40} for name in ("dark", "middling", "bright")]
    measures = [
        {"name": name, "thirds": thirds, "chance": chance, "spread": 0.1}
        for name, chance in (("brightness", 0.001), ("contrast", 0.4))
    ]
    facts = {
        "measures": measures, "images": 120, "split": "test", "shuffles": 999, "unlikely": 0.01,
        "whole": 0.75,
    }  # fmt: skip
    html = slices_section(piece("slices", {}, facts))
    assert "brightness: dark" in html
    assert f"75.0{GAP}%" in html
    assert f"59.8{GAP}% to 85.8{GAP}%" in html  # Wilson's interval of 30 in 40
    assert html.count("more than chance (p 0.001)") == 1
    assert html.count("as by chance (p 0.4)") == 1


def test_typical_images_are_told_with_their_distance() -> None:
    arrays: dict[str, np.ndarray] = {}
    for name, far in (("most", 0.1), ("least", 0.9)):
        arrays |= {
            name: IMAGES,
            f"{name}_indices": np.array([1, 2, 3]),
            f"{name}_distances": np.full(3, far),
            f"{name}_labels": np.zeros(3, int),
            f"{name}_said": np.ones(3, int),
        }
    facts = {
        "images": 90, "split": "test", "median": 0.4,
        "paths": {"most": [""] * 3, "least": ["x"] * 3},
    }  # fmt: skip
    html = typical_section(piece("typical", arrays, facts), CLASSES, PHOTOS)
    assert html.index("0.1, called &lt;dog&gt;") < html.index("0.9, called &lt;dog&gt;")
    assert 'title="image 1"' in html
    assert 'title="x"' in html
    assert "the median is 0.4" in html


@pytest.mark.parametrize("folds", [0, 5])
def test_doubtful_labels_come_with_their_rule(folds: int) -> None:
    arrays = {
        "images": IMAGES,
        "indices": np.arange(3),
        "labels": np.zeros(3, int),
        "seems": np.ones(3, int),
        "own": np.full(3, 0.02),
        "other": np.full(3, 0.97),
    }
    facts = {
        "total": 7, "images": 300, "split": "train", "planted": 15, "folds": folds,
        "paths": ["a.png"] * 3,
    }  # fmt: skip
    html = labels_section([piece("labels.train", arrays, facts)], CLASSES, PHOTOS)
    assert "7 labels of 300 images of the train split in doubt" in html
    assert "labelled cat" in html
    assert f"2.0{GAP}%; &lt;dog&gt;: 97.0{GAP}%" in html
    assert ("labels that were learned by heart are not found" in html) == (folds > 0)
    assert ("was not trained on these images" in html) == (folds == 0)
    failed = replace(piece("labels.train", arrays, facts), checks=(FAILED,))
    assert "<img" not in labels_section([failed], CLASSES, PHOTOS)


def test_calibration_is_shown_before_and_after(make_report: Callable[..., ReportInput]) -> None:
    given = make_report()
    once = render_report(given)
    assert 'id="reliability"' in once
    assert 'id="reliability-after"' not in once
    found = Calibration(temperature=1.5, images=5000, loss=(0.5, 0.4), ece=(0.1, 0.02))
    tempered = replace(given.evaluation, ece=0.0125, loss=0.25)
    page = render_report(replace(given, calibration=found, tempered=tempered))
    assert 'id="reliability-after"' in page
    assert "At temperature 1.500, the one at which 5,000 validation images are said best" in page
    assert f"the error on these test images is 1.25{GAP}% instead of" in page
    worse = replace(tempered, ece=0.9)
    page = render_report(replace(given, calibration=found, tempered=worse))
    assert "Here it does not help" in page
