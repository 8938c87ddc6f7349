"""Layers by depth: what each adds, uses, and has in common with the others.

Comes in: Evidence ``depth.<part>``.  Goes out: a section.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from striate.records import Evidence
from striate.reporting.bars import column, minus
from striate.reporting.evidence import shown
from striate.reporting.html import Child, Html, el, join
from striate.reporting.pictures import levels, picture
from striate.reporting.tables import table
from striate.reporting.wording import counted, percent

TILE = 112


def depth_section(pieces: Sequence[Evidence]) -> Html:
    """Layers by depth: the directions they use, and how alike they are."""
    return join([_DEPTH[piece.name.partition(".")[2]](piece) for piece in pieces])


def _probes(piece: Evidence) -> Html:
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    facts, arrays = piece.facts, piece.arrays

    def draw() -> Html:
        columns = [
            column("after", arrays["accuracy"], lambda v: percent(v, 0), most=1.0)[1],
            column("before", arrays["before"], lambda v: percent(v, 0), most=1.0)[1],
        ]
        rows: list[list[Child]] = [
            [str(name), int(arrays["depths"][at]), columns[0][at], columns[1][at]]
            for at, name in enumerate(facts["names"])
        ]
        heads = ["layer", "depth", "probe", "random weights"]
        marked = list(facts["names"]).index(facts["rises_until"])
        return table(
            heads,
            rows,
            label="Probes by depth",
            numeric=(1, 2, 3),
            marked=marked,
            blocks=facts["names"],
        )

    unfinished = len(facts["names"]) - int(facts["converged"])
    caption = (
        f"Accuracy on {counted(facts['images'], 'image')} of the {facts['split']} split of a "
        "linear classifier that is given the mean of each channel, fitted on "
        f"{counted(facts['trained_on'], 'training image')}. The network itself gets "
        f"{percent(facts['whole'], 0)}, the commonest class {percent(facts['baseline'], 0)}. Set "
        "off is the first layer within one standard error of the best: behind it accuracy no "
        "longer rises."
    )
    if unfinished:
        caption += f" {counted(unfinished, 'fit')} had not come to its end."
    return join([el("h3", piece.title), shown(piece, draw, caption)])


def _saturation(piece: Evidence) -> Html:
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    facts, arrays = piece.facts, piece.arrays

    def draw() -> Html:
        shares = column("saturation", arrays["share"], lambda v: percent(v, 0), most=1.0)[1]
        rows: list[list[Child]] = [
            [
                str(name),
                int(arrays["depths"][at]),
                shares[at],
                f"{int(arrays['directions'][at])} of {int(arrays['channels'][at])}",
            ]
            for at, name in enumerate(facts["names"])
        ]
        heads = ["layer", "depth", "saturation", "directions"]
        return table(
            heads, rows, label="Saturation by depth", numeric=(1, 2, 3), blocks=facts["names"]
        )

    caption = (
        f"Directions that hold {percent(facts['level'], 0)} of the variance between channels, over "
        f"{counted(facts['images'], 'image')} of the {facts['split']} split and all positions. "
        "Depth: layers with weights up to there."
    )
    return join([el("h3", piece.title), shown(piece, draw, caption)])


def _likeness(piece: Evidence) -> Html:
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    facts: Mapping[str, Any] = piece.facts
    cka = np.asarray(piece.arrays["cka"], np.float64)
    names = [str(name) for name in facts["names"]]

    def draw() -> Html:
        pixels = levels(np.nan_to_num(cka).clip(0, 1), 1.0, signed=False)
        words = "Unbiased linear CKA of every pair of layers, by depth; the diagonal is 1"
        before = [float("nan"), *(float(cka[at, at - 1]) for at in range(1, len(names)))]
        last = [float(row[-1]) for row in cka]
        columns = [
            column("like the one before", before, lambda v: f"{v:.2f}", most=1.0)[1],
            column("like the last", last, lambda v: f"{v:.2f}", most=1.0)[1],
        ]
        rows = [[name, columns[0][at], columns[1][at]] for at, name in enumerate(names)]
        heads = ["layer", "like the one before", "like the last"]
        return join(
            [
                picture(pixels, words, width=2 * TILE, title=words),
                table(heads, rows, label="Likeness of layers", numeric=(1, 2), blocks=names),
            ]
        )

    caption = (
        f"Unbiased linear CKA over {counted(facts['images'], 'image')} of the {facts['split']} "
        "split: 1 where two layers tell the images apart in the same way, 0 where they have "
        f"nothing in common (black). {counted(facts['shuffles'], 'shuffle')} of the images say how "
        "much would be seen by chance."
    )
    return join([el("h3", piece.title), shown(piece, draw, caption)])


def shattering_figure(piece: Evidence, of: str | None = None) -> Html:
    """Likeness of gradients by depth.  ``of``: the network's name where another stands beside it;
    a twin without training, which it was measured with, is then left out.
    """
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    facts, arrays = piece.facts, piece.arrays
    twin = "twin" in arrays and of is None

    def draw() -> Html:
        kinds = ("cosine", "before", *(("twin",) if twin else ()))
        columns = [
            column(kind, arrays[kind], lambda v: minus(f"{v:.2f}"), most=1.0)[1] for kind in kinds
        ]
        rows: list[list[Child]] = [
            [str(name), int(arrays["depths"][at]), *(cells[at] for cells in columns)]
            for at, name in enumerate(facts["names"])
        ]
        heads = ["layer", "depth", "now", "random weights", *(("plain twin",) if twin else ())]
        label = "Likeness of gradients by depth" + (f", {of}" if of else "")
        return table(heads, rows, label=label, numeric=range(1, len(heads)), blocks=facts["names"])

    caption = (
        "Mean cosine between the gradients, by what each layer hands on, of pairs of "
        f"{counted(facts['images'], 'image')} of the {facts['split']} split: near 0 the gradient "
        "of one image says nothing of another's. Norms hold these images' statistics."
    )
    if twin:
        caption += " Plain twin: the same layers without skips, untrained."
    return join([el("h3", piece.title), shown(piece, draw, caption)])


_DEPTH: Mapping[str, Callable[[Evidence], Html]] = {
    "probes": _probes,
    "saturation": _saturation,
    "likeness": _likeness,
    "shattering": shattering_figure,
}
