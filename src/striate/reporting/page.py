"""The page: its sections in order, and the policy that lets it ask for nothing.

Comes in: ReportInput.  Goes out: one HTML document.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from striate.reporting.axis import axis_of
from striate.reporting.axis_strip import axis_section
from striate.reporting.chapters import Section, chapters, contents, opened
from striate.reporting.checks import checks_section
from striate.reporting.document import document
from striate.reporting.evidence import way_of
from striate.reporting.facts import data_section, made_section
from striate.reporting.html import Html, el, join
from striate.reporting.inputs import ReportInput
from striate.reporting.mistakes import calibration_section, classes_section, confusion_section
from striate.reporting.pictures import Photos, photo
from striate.reporting.reach import reach_section
from striate.reporting.script import ASSETS, digest, script
from striate.reporting.strip import strip
from striate.reporting.tables import finding_list, layer_table
from striate.reporting.training import curves_section, setting_section
from striate.reporting.verdict import head, headline
from striate.reporting.ways import DRAWINGS, Frame
from striate.reporting.wording import counted

_OWN = ("brush.js", "walk.js")
_STRIP = (
    "Each box is the map that a stage hands on: the taller, the larger the map; the longer, the "
    "more channels (on a log scale). The frame below it shows, to scale, what one value in the "
    "middle of that map depends on: its receptive field."
)


def render_report(given: ReportInput) -> str:
    """One self-contained HTML document about one run.

    It holds its pictures, charts and scripts, names no address, and its content security policy
    forbids every request.  Text that came from outside (names of classes, files, layers) is
    escaped.
    """
    found = chapters({one.key: one for one in _sections(given)})
    charts, allowed = script()
    own = "".join((ASSETS / name).read_text() for name in _OWN)
    body = [
        el("a.skip", "Skip to the report", attrs={"href": "#report"}),
        el("header", head(given), contents(found)),
        el(
            "main",
            el(
                "noscript",
                el("p", "The charts need JavaScript; their numbers are in tables below them."),
            ),
            *(part for at, one in enumerate(found, start=1) for part in opened(at, one)),
            attrs={"id": "report"},
        ),
        el("footer", el("p", f"Made by striate from {given.run.name}.")),
        Html(f"<script>{own}</script>"),
        charts,
    ]
    return document(
        title=f"{given.run.name}: {headline(given)}",
        styles=("style.css", "report.css"),
        allowed=f"{digest(own)} {allowed}",
        body=body,
    )


def _sections(given: ReportInput) -> list[Section]:
    axis = axis_of(given.trace, given.evidence)
    seen = _seen(given)
    titles = {key: title for key, _, title, _ in seen}
    checks = checks_section(given.evidence, titles)
    listed: list[tuple[str, str, str, Html | None]] = [
        (
            "axis",
            "every measure",
            "Everything that was measured, block by block",
            axis_section(axis) if len(axis.names) > 1 else None,
        ),
        ("network", "network", "The network, and how far it sees", _network(given)),
        ("reach", "field and probe", "Where seeing further stops helping", reach_section(axis)),
        ("confusions", "confusions", "What it takes for what", confusion_section(given.evaluation)),
        ("classes", "classes", "Class by class", classes_section(given.evaluation)),
        (
            "calibration",
            "calibration",
            "May its confidence be believed?",
            calibration_section(given.evaluation, given.calibration, given.tempered),
        ),
        *seen,
        ("checks", "checks", "Every check, with its number", checks),
        ("findings", "linter", "What the linter says", finding_list(given.findings)),
        ("training", "training", "How it learned", curves_section(given.epochs, given.steps)),
        (
            "setting",
            "setting",
            "The numeric setting",
            setting_section(given.probe, given.run.setting),
        ),
        ("data", "data", "What it was trained on", data_section(given.data, _photos(given))),
        ("made", "configuration", "The configuration", made_section(given.run)),
    ]
    return [
        Section(key=key, short=short, title=title, body=body)
        for key, short, title, body in listed
        if body is not None
    ]


def _network(given: ReportInput) -> Html:
    return join(
        [
            el("p", f"{given.run.why.rstrip('.')}.") if given.run.why else None,
            el("figure.wide", strip(given.trace, _example(given)), el("figcaption", _STRIP)),
            el(
                "details",
                el("summary", f"All {counted(len(given.trace), 'layer')}"),
                layer_table(given.trace),
            ),
        ]
    )


def _seen(given: ReportInput) -> list[tuple[str, str, str, Html | None]]:
    """A section for each way of looking of which there is evidence."""
    frame = Frame(classes=given.evaluation.classes, photos=_photos(given), trace=given.trace)
    pieces = {
        drawing.way: [piece for piece in given.evidence if way_of(piece) == drawing.way]
        for drawing in DRAWINGS
    }
    return [
        (drawing.way, drawing.short, drawing.title, drawing.draw(pieces[drawing.way], frame))
        for drawing in DRAWINGS
        if pieces[drawing.way]
    ]


def _example(given: ReportInput) -> NDArray[np.uint8]:
    """The image the receptive fields are drawn on: the one whose maps are shown, or a grey one."""
    if not given.images:
        return np.full((8, 8), 160, np.uint8)
    for piece in given.evidence:
        if "image" in piece.arrays:
            return photo(piece.arrays["image"], given.data.pixel_range)
    if len(given.data.examples):
        return photo(given.data.examples[0], given.data.pixel_range)
    return np.full((8, 8), 160, np.uint8)


def _photos(given: ReportInput) -> Photos:
    return Photos(pixel_range=given.data.pixel_range, embed=given.images)
