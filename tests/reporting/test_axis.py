"""Everything on one axis: each number stands at the block it was measured behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from made_evidence import BLOCKS, FAILED, POINTS

from striate.records import Evidence
from striate.reporting import ReportInput, render_report
from striate.reporting.axis import Axis, axis_of
from striate.reporting.axis_strip import axis_section
from striate.reporting.checks import checks_section
from striate.reporting.reach import reach_section


@pytest.fixture(scope="module")
def given(make_report: Callable[..., ReportInput]) -> ReportInput:
    return make_report(looked=True)


@pytest.fixture(scope="module")
def axis(given: ReportInput) -> Axis:
    return axis_of(given.trace, given.evidence)


def of(axis: Axis, title: str) -> dict[str, float]:
    found = axis.measure(title)
    assert found is not None, title
    return dict(zip(axis.names, found.values, strict=True))


def test_every_measure_of_every_block_in_order_of_depth(axis: Axis) -> None:
    assert axis.names == POINTS
    assert [one.title for one in axis.measures] == [
        "parameters", "MACs", "field", "stream", "share", "cosine", "lens", "lesion", "probe",
        "saturation", "effective field",
    ]  # fmt: skip


def test_numbers_stand_where_they_were_measured(axis: Axis, given: ReportInput) -> None:
    assert of(axis, "stream")[BLOCKS[0]] == 1
    assert np.isnan(of(axis, "stream")["stem.conv"])  # no block of the stream
    # before the first block there is no block: the lens's first number stands nowhere
    assert of(axis, "lens")[BLOCKS[0]] == pytest.approx(0.1 + 0.8 / 9)
    assert of(axis, "lesion")[BLOCKS[0]] == pytest.approx(0.7)
    assert of(axis, "probe")["head.fc"] == pytest.approx(0.9)
    params = sum(layer.params for layer in given.trace)
    assert sum(of(axis, "parameters").values()) == params
    # what was measured behind a stage stands at its last block
    wide = of(axis, "effective field")
    assert wide["stages.1.blocks.2"] == pytest.approx(4 * 4 / 32)
    assert np.isnan(wide["stages.1.blocks.1"])


def test_a_withheld_measure_is_no_row(given: ReportInput) -> None:
    pieces = [
        replace(piece, checks=(FAILED,)) if piece.name == "depth.probes" else piece
        for piece in given.evidence
    ]
    axis = axis_of(given.trace, pieces)
    assert axis.measure("probe") is None
    assert axis.measure("stream") is not None
    assert reach_section(axis) is None


def test_without_evidence_the_parts_of_the_network_are_the_blocks(given: ReportInput) -> None:
    axis = axis_of(given.trace, ())
    assert axis.names == ("stem", "stages.0", "stages.1", "stages.2", "head")
    assert [one.title for one in axis.measures] == ["parameters", "MACs", "field"]
    assert of(axis, "field")["stages.0"] == pytest.approx(15 / 32)
    assert of(axis, "field")["stages.2"] == 1  # full: larger than the image


def test_the_strip_has_a_bar_for_each_and_says_each_number(axis: Axis) -> None:
    html = axis_section(axis)
    assert html.count(f'<g data-block="{BLOCKS[0]}"') == len(axis.measures)
    assert 'data-says="not measured"' in html  # the stem has no stream
    assert "(random weights: 20" in html
    assert f'data-names="{POINTS[0]}&#10;' in html or f'data-names="{POINTS[0]}\n' in html


def test_field_against_probe_says_where_it_ends(axis: Axis) -> None:
    html = reach_section(axis)
    assert html is not None
    assert "Behind stages.2.blocks.2 a linear classifier gets 83" in html
    assert html.count("<circle") == 3  # the blocks of which both are known


def test_every_check_is_in_the_ledger_once(given: ReportInput) -> None:
    html = checks_section(given.evidence, {"decision": "t"})
    assert html is not None
    checks = [c for piece in given.evidence if not piece.inapplicable for c in piece.checks]
    assert html.count("<tr>") == len(checks) + 1
    assert "1 failed" in html
    assert "1 picture is withheld" in html
    rows = html.split("<tr>")[2:]
    assert "failed" in rows[0]  # what failed comes first
    assert "-0.2" in rows[0]
    assert "at least 0" in rows[0]
    assert "It finds nothing." in html
    assert '<a href="#decision">Grad-CAM: dots/1.png</a>' in html


def test_a_picture_withheld_for_the_whole_network_says_so_once(given: ReportInput) -> None:
    network = replace(FAILED, name="classes hold", value=0.5, limit=0.7)
    pieces = [
        replace(piece, checks=(*piece.checks, network))
        if piece.name.startswith("decision") and not piece.inapplicable
        else piece
        for piece in given.evidence
    ]
    html = render_report(replace(given, evidence=pieces))
    assert "HiResCAM: withheld. </strong>1 check of the whole network failed, see above." in html
    assert (
        "Grad-CAM: withheld. </strong>order is -0.2, allowed is at least 0; 1 check of the whole"
        in html
    )


def test_images_of_the_data_are_left_out_where_they_are_not_asked_for(given: ReportInput) -> None:
    def pictures(page: str, word: str) -> int:
        return sum(word in part.split(">")[0] for part in page.split("<img ")[1:])

    shown, hidden = render_report(given), render_report(replace(given, images=False))
    for word in ("taken for", "test image 17", "training image", "channel", "what goes in", "dots"):
        assert pictures(hidden, word) == 0, word
    assert pictures(shown, "taken for") == 12
    assert pictures(hidden, "filter") == 16  # weights are no images
    assert pictures(hidden, "training: width") == 6
    assert "(the image is not embedded)" in hidden
    assert "data-walk" not in hidden.split("<script>")[0]
    assert "--images embed puts them in" in hidden
    assert "--images embed puts them in" not in shown
    # what the images are of is told all the same
    assert "Image 17 of the test split: class 3" in hidden


def test_a_network_of_one_part_has_no_axis(given: ReportInput) -> None:
    html = render_report(
        replace(
            given,
            trace=replace(given.trace, layers=given.trace.layers[:2]),
            evidence=[Evidence(name="maps", title="m", inapplicable="There is no map.")],
        )
    )
    assert 'id="axis"' not in html
    assert "There is no map." in html
