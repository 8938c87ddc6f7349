"""Errors and trust: confusions in pictures, slices, what is typical, which labels are in doubt.

Comes in: Evidence ``errors.pairs``, ``slices``, ``typical``, ``labels.<split>``.
Goes out: sections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from striate.records import Evidence
from striate.reporting.evidence import shown
from striate.reporting.html import Child, Html, el, join
from striate.reporting.measures import wilson
from striate.reporting.pictures import Photos, of_data, photo
from striate.reporting.tables import table
from striate.reporting.wording import count, counted, number, percent

TILE = 104


def pairs_part(piece: Evidence, photos: Photos) -> Html:
    """A row of pictures for each of the commonest confusions."""
    if piece.inapplicable is not None:
        return el("span")  # said above, of all mistakes
    facts, arrays = piece.facts, piece.arrays

    def row(place: int, pair: Mapping[str, Any]) -> Html:
        tiles = [
            of_data(
                photo(arrays["images"][at], photos.pixel_range),
                photos,
                f"{facts['paths'][at] or arrays['indices'][at]}: a {pair['true']} taken for "
                f"{pair['said']} with {percent(float(arrays['confidence'][at]))}",
                width=72,
            )
            for at in np.flatnonzero(arrays["pair"] == place)
        ]
        told = (
            f"{pair['true']} taken for {pair['said']}: {count(pair['count'])} of "
            f"{count(pair['of'])}"
        )
        return join([el("p.small", told), el("div.wall", *tiles)])

    drawn = sum(pair["count"] for pair in facts["pairs"])
    caption = (
        f"The {len(facts['pairs'])} commonest of {counted(int(facts['kinds']), 'confusion')}, "
        f"{count(drawn)} of {counted(int(facts['total']), 'mistake')}; of each the most confident."
    )
    return join(
        [
            el("h3", piece.title),
            shown(
                piece,
                lambda: join([row(at, pair) for at, pair in enumerate(facts["pairs"])]),
                caption,
            ),
        ]
    )


def slices_section(piece: Evidence) -> Html:
    """Accuracy of each third, with its interval, and whether chance would do as much."""
    facts = piece.facts
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")

    def draw() -> Html:
        rows: list[list[Child]] = []
        for measure in facts["measures"]:
            sure = float(measure["chance"]) <= float(facts["unlikely"])
            for at, third in enumerate(measure["thirds"]):
                low, high = wilson(third["right"], third["images"])
                rows.append(
                    [
                        f"{measure['name']}: {third['name']}",
                        count(third["images"]),
                        percent(third["right"] / max(third["images"], 1)),
                        f"{percent(low)} to {percent(high)}",
                        ""
                        if at
                        else f"{'more than' if sure else 'as by'} chance "
                        f"(p {number(float(measure['chance']))})",
                    ]
                )
        heads = ["third", "images", "accuracy", "95 % interval", "difference"]
        return table(heads, rows, label="Accuracy by slice", numeric=(1, 2, 3))

    caption = (
        f"{count(int(facts['images']))} images of the {facts['split']} split in thirds by their "
        "mean (brightness), their deviation (contrast) and the mean step between neighbouring "
        "pixels (detail), all of the mean over channels; whole: "
        f"{percent(float(facts['whole']))}. Difference: how often {count(int(facts['shuffles']))} "
        "shuffles of the measure within each class set thirds as far apart, so that what a class "
        "looks like is not held against it."
    )
    return shown(piece, draw, caption)


def typical_section(piece: Evidence, classes: Sequence[str], photos: Photos) -> Html:
    """The nearest to their classes, then the furthest from them."""
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    facts, arrays = piece.facts, piece.arrays

    def some(name: str) -> list[Html]:
        return [
            _tile(
                photo(arrays[name][at], photos.pixel_range),
                photos,
                place=facts["paths"][name][at] or f"image {arrays[f'{name}_indices'][at]}",
                name=classes[int(arrays[f"{name}_labels"][at])],
                told=f"{number(float(arrays[f'{name}_distances'][at]))}, called "
                f"{classes[int(arrays[f'{name}_said'][at])]}",
            )
            for at in range(len(arrays[name]))
        ]

    def draw() -> Html:
        return join(
            [
                el("p.small", "Most typical"),
                el("ol.errors", *some("most")),
                el("p.small", "Least typical"),
                el("ol.errors", *some("least")),
            ]
        )

    caption = (
        f"Of {count(int(facts['images']))} images of the {facts['split']} split: the distance of "
        "what the network makes of an image before it decides (brought to length 1) to the mean "
        f"of the others with its label; the median is {number(float(facts['median']))}."
    )
    return shown(piece, draw, caption)


def labels_section(pieces: Sequence[Evidence], classes: Sequence[str], photos: Photos) -> Html:
    """For each split the labels that are in doubt, and the rule."""
    return join(
        part
        for piece in pieces
        for part in (el("h3", piece.title), _labels(piece, classes, photos))
    )


def _labels(piece: Evidence, classes: Sequence[str], photos: Photos) -> Html:
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    facts, arrays = piece.facts, piece.arrays

    def one(at: int) -> Html:
        given, seems = (classes[int(arrays[key][at])] for key in ("labels", "seems"))
        return _tile(
            photo(arrays["images"][at], photos.pixel_range),
            photos,
            place=facts["paths"][at] or f"image {arrays['indices'][at]}",
            name=f"labelled {given}",
            told=f"{percent(float(arrays['own'][at]))}; {seems}: "
            f"{percent(float(arrays['other'][at]))}",
        )

    held = (
        f"The probabilities are those of a linear classifier on the network's features, fitted "
        f"without each of {facts['folds']} parts in turn; the features were trained on these "
        "labels all the same, so labels that were learned by heart are not found. "
        if facts["folds"]
        else "The network was not trained on these images. "
    )
    caption = (
        f"{counted(int(facts['total']), 'label')} of {counted(int(facts['images']), 'image')} "
        f"of the {facts['split']} split in doubt, the most doubtful first: another class reaches "
        "the mean probability of its own images, and is likelier than any other that does "
        f"(confident learning, Northcutt et al. 2021). {held}A doubt is a reason to look, not a "
        "verdict: hard images are among them."
    )
    return shown(
        piece, lambda: el("ol.errors", *(one(at) for at in range(len(arrays["images"])))), caption
    )


def _tile(pixels: Any, photos: Photos, *, place: str, name: str, told: str) -> Html:
    return el(
        "li",
        of_data(pixels, photos, f"{place}: {name}, {told}", width=TILE, title=place),
        el("p", el("strong", name)),
        el("p", told),
    )
