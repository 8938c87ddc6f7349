"""Accuracy when blocks change places.

Comes in: Evidence ``stream.order``.  Goes out: a figure.
"""

from __future__ import annotations

import numpy as np

from striate.records import Evidence
from striate.reporting.bars import column, minus
from striate.reporting.evidence import shown
from striate.reporting.html import Child, Html, el, join
from striate.reporting.tables import table
from striate.reporting.wording import counted, percent


def order_figure(piece: Evidence) -> Html:
    """One row for each number of exchanges: what is left of the order, and of the accuracy."""
    if piece.inapplicable is not None:
        return join([el("h3", piece.title), shown(piece, lambda: el("div"), "")])
    facts, arrays = piece.facts, piece.arrays
    swaps = np.asarray(arrays["swaps"], np.int64)
    counts = sorted(set(swaps.tolist()))

    def draw() -> Html:
        means = {
            key: [float(np.asarray(arrays[key])[swaps == count].mean()) for count in counts]
            for key in ("tau", "accuracy")
        }
        least = [float(np.asarray(arrays["accuracy"])[swaps == count].min()) for count in counts]
        columns = [
            column("tau", means["tau"], lambda v: minus(f"{v:.2f}"), most=1.0)[1],
            column("mean", means["accuracy"], lambda v: percent(v, 0), most=1.0)[1],
            column("least", least, lambda v: percent(v, 0), most=1.0)[1],
        ]
        rows: list[list[Child]] = [
            [str(count), *(cells[at] for cells in columns)] for at, count in enumerate(counts)
        ]
        heads = ["pairs exchanged", "order left (τ)", "accuracy", "least of them"]
        return table(heads, rows, label="Accuracy by exchanges", numeric=range(4))

    orders = len(swaps) // max(1, len(counts))
    caption = (
        f"Random pairs of like blocks ({len(facts['blocks'])} can change places) are exchanged, "
        f"{counted(orders, 'order')} for each number; τ is Kendall's correlation with the order "
        f"as trained, which gets {percent(facts['whole'], 0)} on "
        f"{counted(facts['images'], 'image')} of the {facts['split']} split."
    )
    return join([el("h3", piece.title), shown(piece, draw, caption)])
