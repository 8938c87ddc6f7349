"""Selectivity against depth: one small chart for each measure, before and after training.

Comes in: Evidence ``selectivity``.  Goes out: a section.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from striate.records import Evidence
from striate.reporting.charts import depth_chart
from striate.reporting.evidence import shown
from striate.reporting.html import Html, el, join
from striate.reporting.script import chart
from striate.reporting.tables import table
from striate.reporting.wording import count

_MEASURES = {
    "orientation": "Orientation: how much the answer to gratings depends on their direction.",
    "frequency": "Frequency: the preferred grating, in cycles per pixel.",
    "class": "Class: how much more it answers to one class than to the rest.",
    "texture": "Texture: how well its answer survives shuffling the image's tiles.",
}


def selectivity_section(piece: Evidence) -> Html:
    """The charts and the table of their numbers."""
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    rows: Sequence[Mapping[str, Any]] = piece.facts["layers"]

    def one(key: str, words: str) -> Html:
        lines = {when: [float(row[when][key]) for row in rows] for when in ("before", "after")}
        if key == "class":
            lines["chance"] = [float(row["after"]["class_null"]) for row in rows]
        spec = depth_chart([str(row["path"]) for row in rows], lines, title=key)
        return el("figure", chart(f"selectivity-{key}", spec, words), el("figcaption", words))

    def draw() -> Html:
        figures = [one(key, words) for key, words in _MEASURES.items()]
        return join([el("div.figures", *figures), _table(rows)])

    caption = (
        f"Means over each layer's channels, on {count(int(piece.facts['images']))} images of the "
        f"{piece.facts['split']} split and on gratings; thin grey before training, bold after, "
        "dashed what shuffled classes give."
    )
    return shown(piece, draw, caption)


def _table(rows: Sequence[Mapping[str, Any]]) -> Html:
    heads = [f"{key} {when}" for key in _MEASURES for when in ("before", "after")]
    return el(
        "details",
        el("summary", "The numbers"),
        table(
            ["layer", *heads],
            [
                [
                    str(row["path"]),
                    *(f"{row[when][key]:.3f}" for key in _MEASURES for when in ("before", "after")),
                ]
                for row in rows
            ],
            label="Selectivity by depth",
            numeric=range(1, 1 + len(heads)),
            blocks=[str(row["path"]) for row in rows],
        ),
    )
