"""What speaks for a decision: each map with its control strip, its curves and its checks.

Comes in: Evidence ``decision`` and ``decision.<number>.<method>``.  Goes out: a section.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.records import Check, Evidence
from striate.reporting.evidence import failures, passed_list, shown, withheld
from striate.reporting.html import Html, el, join
from striate.reporting.pictures import Photos, levels, of_data, photo
from striate.reporting.wording import counted, number, percent, size

TILE = 112


def decision_section(pieces: Sequence[Evidence], photos: Photos) -> Html:
    """Picture after picture, each with its methods."""
    about = next((piece for piece in pieces if piece.name == "decision"), None)
    parts: list[Html | None] = [_about(about)] if about is not None else []
    before: object = None
    for piece in pieces:
        if piece.name == "decision":
            continue
        if piece.facts.get("number") != before and "picture" in piece.facts:
            before = piece.facts["number"]
            parts.append(_heading(piece, photos))
        parts.append(_method(piece, photos, known=() if about is None else about.checks))
    return join(parts)


def _about(piece: Evidence) -> Html:
    facts = piece.facts
    tried: Sequence[Mapping[str, Any]] = facts["layers"]
    told = str(facts["rule"])
    rows = [
        el(
            "tr",
            el("th", str(one["path"])),
            el("td.num", size(one["grid"])),
            el("td.num", f"{one['margin']:.3f} ± {one['error']:.3f}"),
        )
        for one in tried
    ]
    table = el(
        "table",
        el("thead", el("tr", el("th", "layer"), el("th.num", "grid"), el("th.num", "margin"))),
        el("tbody", *rows),
    )
    return join(
        [
            el(
                "p",
                "A map is shown only if it passes every check below it; none of them asks whether "
                "the decision is right. Beside each stands the same for the network before "
                "training and for a typical other class (that of the median logit), an edge map "
                "and a Gaussian in the middle: what looks like those shows nothing of what this "
                "network has learned. "
                f"The layer: {told}",
            ),
            el(
                "details",
                el("summary", f"How the layer was chosen, from {counted(len(tried), 'layer')}"),
                el(
                    "p.small",
                    "Margin: area under insertion minus area under deletion, above that of "
                    f"shuffled cells, over {facts['sample']} images of the {facts['split']} "
                    "split, with its standard error.",
                ),
                table,
            )
            if rows
            else None,
            withheld(piece) if piece.withheld else passed_list(piece.checks),
        ]
    )


def _heading(piece: Evidence, photos: Photos) -> Html:
    facts = piece.facts
    label = facts["label"]
    truth = "" if label is None else f" It is labelled {label}."
    words = (
        f"{facts['picture']}: called {facts['class']} with {percent(float(facts['probability']))} "
        f"(logit {number(float(facts['logit']))}).{truth} {facts['why']}"
    )
    image = (
        of_data(
            photo(piece.arrays["image"], photos.pixel_range),
            photos,
            str(facts["picture"]),
            width=TILE,
        )
        if "image" in piece.arrays
        else None
    )
    return join(
        [
            el("h3", str(facts["picture"])),
            el("figure.looked-at", image, el("figcaption", words)),
        ]
    )


def _method(piece: Evidence, photos: Photos, known: Sequence[Check]) -> Html:
    """The map; or in a line why it is withheld, less what was said of the whole network."""
    name = el("h4", str(piece.title.split(":")[0]))
    if piece.inapplicable is not None:
        return join([name, shown(piece, lambda: el("div"), "")])
    if piece.withheld:
        own = [check for check in piece.checks if not check.passed and check not in known]
        others = sum(not check.passed for check in piece.checks) - len(own)
        why = [failures(own)] if own else []
        if others:
            why.append(f"{counted(others, 'check')} of the whole network failed, see above")
        return el(
            "p.withheld",
            el("strong", f"{piece.title.split(':')[0]}: withheld. "),
            f"{'; '.join(why)}.",
        )
    return join([name, _map(piece, photos)])


def _map(piece: Evidence, photos: Photos) -> Html:
    facts, arrays = piece.facts, piece.arrays
    margins, likes = facts["margins"], facts["likeness"]
    tiles = [
        _tile(arrays["map"], photos, "this map", f"margin {margins['map']:.2f}"),
        _tile(arrays["random"], photos, "before training", f"alike {likes['random'][0]:.2f}"),
        _tile(arrays["other"], photos, f"for {facts['other']}", f"alike {likes['other']:.2f}"),
        _tile(arrays["edges"], photos, "edges", f"alike {likes['edges']:.2f}"),
        _tile(arrays["middle"], photos, "the middle", f"alike {likes['middle']:.2f}"),
        _curves(arrays["insertion"], arrays["deletion"]),
    ]
    where = f" at {facts['layer']}" if facts["layer"] else ""
    caption = (
        f"{str(facts['says']).capitalize()}{where}, on its own grid of {size(facts['grid'])}, "
        f"in logits: from {number(float(facts['least']))} to {number(float(facts['greatest']))}, "
        f"{number(float(facts['sum']))} in all. Middle grey is 0, white speaks for "
        f"{facts['class']}, black against it; each tile has its own scale. Margin of the shuffled "
        f"map: {margins['shuffled']:.2f}, of edges: {margins['edges']:.2f}, of the middle: "
        f"{margins['middle']:.2f}."
    )
    return el(
        "figure.evidence",
        el("div.controls", *tiles),
        el("figcaption", caption),
        passed_list(piece.checks),
    )


def _tile(values: NDArray[Any], photos: Photos, name: str, words: str) -> Html:
    plane = np.asarray(values, np.float64)
    most = float(np.abs(plane).max(initial=0.0))
    title = f"{name}: from {number(float(plane.min()))} to {number(float(plane.max()))}"
    return el(
        "div.control",
        of_data(levels(plane, most, signed=True), photos, title, width=TILE, title=title),
        el("p", name),
        el("p.small", words),
    )


def _curves(insertion: NDArray[Any], deletion: NDArray[Any]) -> Html:
    """The class's probability as the image is uncovered (rising) and covered (falling)."""

    def line(values: NDArray[Any], kind: str) -> Html:
        count = len(values) - 1
        points = " ".join(
            f"{4 + 104 * at / count:.1f},{108 - 104 * float(value):.1f}"
            for at, value in enumerate(values)
        )
        return el(f"polyline.{kind}", attrs={"points": points})

    label = (
        f"insertion {float(insertion[0].mean()):.2f} against {float(insertion[1].mean()):.2f} "
        f"shuffled, deletion {float(deletion[0].mean()):.2f} against "
        f"{float(deletion[1].mean()):.2f}"
    )
    drawn = el(
        "svg.curves",
        el("title", label),
        el("path.frame", attrs={"d": "M4,4V108H108"}),
        line(insertion[1], "quiet"),
        line(deletion[1], "quiet"),
        line(insertion[0], "loud"),
        line(deletion[0], "loud"),
        attrs={"viewBox": "0 0 112 112", "role": "img", "aria-label": label},
    )
    return el("div.control", drawn, el("p", "uncovered, covered"), el("p.small", "grey: shuffled"))
