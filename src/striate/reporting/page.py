"""The page: its sections in order, and the policy that lets it ask for nothing.

Comes in: ReportInput.  Goes out: one HTML document.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.reporting.document import document, section
from striate.reporting.facts import data_section, made_section
from striate.reporting.html import Html, el, join
from striate.reporting.inputs import ReportInput
from striate.reporting.mistakes import calibration_section, classes_section, confusion_section
from striate.reporting.pictures import photo
from striate.reporting.script import script
from striate.reporting.strip import strip
from striate.reporting.tables import finding_list, layer_table
from striate.reporting.training import curves_section, setting_section
from striate.reporting.verdict import head, headline
from striate.reporting.ways import DRAWINGS, Frame, way_of
from striate.reporting.wording import counted


@dataclass(frozen=True, kw_only=True)
class Section:
    """``key`` is its anchor, ``title`` its heading, ``short`` its name in the contents."""

    key: str
    short: str
    title: str
    body: Html


def render_report(given: ReportInput) -> str:
    """One self-contained HTML document about one run.

    It holds its pictures, charts and script, names no address, and its content security policy
    forbids every request.  Text that came from outside (names of classes, files, layers) is
    escaped.
    """
    sections = _sections(given)
    code, allowed = script()
    contents = el(
        "nav",
        el("ol", *(el("li", el("a", s.short, attrs={"href": f"#{s.key}"})) for s in sections)),
        attrs={"aria-label": "Contents"},
    )
    body = [
        el("a.skip", "Skip to the contents", attrs={"href": "#contents"}),
        el("header", head(given), el("div", contents, attrs={"id": "contents"})),
        el(
            "main",
            el(
                "noscript",
                el("p", "The charts need JavaScript; their numbers are in tables below them."),
            ),
            *(section(one.key, one.title, one.body) for one in sections),
        ),
        el("footer", el("p", f"Made by striate from {given.run.name}.")),
        code,
    ]
    return document(
        title=f"{given.run.name}: {headline(given)}",
        styles=("style.css",),
        allowed=allowed,
        body=body,
    )


def _sections(given: ReportInput) -> list[Section]:
    network = join(
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
    listed: list[tuple[str, str, str, Html | None]] = [
        ("network", "network", "The network, and how far it sees", network),
        ("findings", "findings", "What the linter says", finding_list(given.findings)),
        (
            "setting",
            "setting",
            "The numeric setting",
            setting_section(given.probe, given.run.setting),
        ),
        ("training", "training", "How it learned", curves_section(given.epochs, given.steps)),
        ("confusions", "confusions", "What it takes for what", confusion_section(given.evaluation)),
        ("classes", "classes", "Class by class", classes_section(given.evaluation)),
        (
            "calibration",
            "calibration",
            "May its confidence be believed?",
            calibration_section(given.evaluation),
        ),
        *_seen(given),
        ("data", "data", "What it was trained on", data_section(given.data)),
        ("made", "made", "How this was made", made_section(given.run)),
    ]
    return [
        Section(key=key, short=short, title=title, body=body)
        for key, short, title, body in listed
        if body is not None
    ]


_STRIP = (
    "Each box is the map that a stage hands on: the taller, the larger the map; the longer, the "
    "more channels (on a log scale). The frame below it shows, to scale, what one value in the "
    "middle of that map depends on: its receptive field."
)


def _seen(given: ReportInput) -> list[tuple[str, str, str, Html | None]]:
    """A section for each way of looking of which there is evidence."""
    frame = Frame(
        classes=given.evaluation.classes, pixel_range=given.data.pixel_range, trace=given.trace
    )
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
    for piece in given.evidence:
        if "image" in piece.arrays:
            return photo(piece.arrays["image"], given.data.pixel_range)
    if len(given.data.examples):
        return photo(given.data.examples[0], given.data.pixel_range)
    return np.full((8, 8), 160, np.uint8)
