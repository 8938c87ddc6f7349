"""How each way of looking is drawn: its section of the page, by the way's name.

A way's pieces of Evidence are named ``<way>`` or ``<way>.<part>``.  Another way is added by one
line of ``DRAWINGS``, in the order in which a reader meets it.

Comes in: Evidence.  Goes out: sections of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from striate.records import Evidence, Trace
from striate.reporting.beside import beside_section
from striate.reporting.decision import decision_section
from striate.reporting.depth import depth_section
from striate.reporting.fields import fields_section
from striate.reporting.html import Html, join
from striate.reporting.inside import errors_section, filters_section, maps_section
from striate.reporting.landscape import landscape_section
from striate.reporting.mechanics import mechanics_section
from striate.reporting.patches import patches_section
from striate.reporting.peaks import peaks_section
from striate.reporting.pictures import Photos
from striate.reporting.selectivity import selectivity_section
from striate.reporting.stream import ledger_section, paths_section, stream_section
from striate.reporting.tail import tail_section
from striate.reporting.trust import labels_section, pairs_part, slices_section, typical_section


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What a drawing needs to know besides its evidence.

    ``classes``: names, in the order of the logits.  ``photos``: how images of the data are drawn.
    ``trace``: the network's, whose layers the evidence names.
    """

    classes: tuple[str, ...]
    photos: Photos
    trace: Trace


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """``title``: the section's heading, ``short`` its name in the contents."""

    way: str
    short: str
    title: str
    draw: Callable[[Sequence[Evidence], Frame], Html]


DRAWINGS: tuple[Drawing, ...] = (
    Drawing(
        way="errors",
        short="errors",
        title="Its most confident mistakes",
        draw=lambda pieces, frame: join(
            [
                errors_section(pieces[0], frame.classes, frame.photos),
                *(pairs_part(piece, frame.photos) for piece in pieces[1:]),
            ]
        ),
    ),
    Drawing(
        way="slices",
        short="slices",
        title="Dark, flat or busy: is it as good?",
        draw=lambda pieces, _: slices_section(pieces[0]),
    ),
    Drawing(
        way="typical",
        short="typical",
        title="The most and the least typical",
        draw=lambda pieces, frame: typical_section(pieces[0], frame.classes, frame.photos),
    ),
    Drawing(
        way="labels",
        short="labels",
        title="Labels that may be wrong",
        draw=lambda pieces, frame: labels_section(pieces, frame.classes, frame.photos),
    ),
    Drawing(
        way="filters",
        short="filters",
        title="What the first layer looks for",
        draw=lambda pieces, _: filters_section(pieces[0]),
    ),
    Drawing(
        way="maps",
        short="maps",
        title="One image through the stages",
        draw=lambda pieces, frame: maps_section(pieces, frame.photos),
    ),
    Drawing(
        way="mechanics",
        short="mechanics",
        title="A convolution, position by position",
        draw=lambda pieces, frame: mechanics_section(pieces[0], frame.photos),
    ),
    Drawing(
        way="decision",
        short="evidence",
        title="What speaks for its decisions",
        draw=lambda pieces, frame: decision_section(pieces, frame.photos),
    ),
    Drawing(
        way="fields",
        short="fields",
        title="How far each layer really looks",
        draw=lambda pieces, _: fields_section(pieces[0]),
    ),
    Drawing(
        way="patches",
        short="patches",
        title="What its channels answer to",
        draw=lambda pieces, frame: patches_section(pieces, frame.photos),
    ),
    Drawing(
        way="selectivity",
        short="hierarchy",
        title="What its channels are selective for",
        draw=lambda pieces, _: selectivity_section(pieces[0]),
    ),
    Drawing(
        way="peaks",
        short="peaks",
        title="What would make each class likeliest",
        draw=lambda pieces, frame: peaks_section(pieces[0], frame.photos),
    ),
    Drawing(
        way="stream",
        short="stream",
        title="The stream, block by block",
        draw=lambda pieces, _: stream_section(pieces),
    ),
    Drawing(
        way="ledger",
        short="ledger",
        title="Who wrote the logit",
        draw=lambda pieces, frame: ledger_section(pieces, frame.photos),
    ),
    Drawing(
        way="paths",
        short="paths",
        title="The gradient by path length",
        draw=lambda pieces, _: paths_section(pieces[0]),
    ),
    Drawing(
        way="depth",
        short="depth",
        title="What each layer adds",
        draw=lambda pieces, _: depth_section(pieces),
    ),
    Drawing(
        way="tail",
        short="tail",
        title="Which last blocks could go",
        draw=lambda pieces, _: tail_section(pieces),
    ),
    Drawing(
        way="landscape",
        short="landscape",
        title="The loss around it",
        draw=lambda pieces, _: landscape_section(pieces[0]),
    ),
    Drawing(
        way="beside",
        short="side by side",
        title="Two networks side by side",
        draw=lambda pieces, _: beside_section(pieces),
    ),
)
