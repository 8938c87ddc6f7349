"""The residual stream block by block, a logit's ledger, and the gradient by path length.

Everything that is measured of one block stands in one row, in the order of depth, so that it can be
read across.

Comes in: Evidence ``stream.<part>``, ``ledger.<number>``, ``paths``.  Goes out: sections.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from striate.records import Evidence
from striate.reporting.bars import Column, bar, column, minus
from striate.reporting.evidence import passed_list, shown
from striate.reporting.html import Html, el, join
from striate.reporting.order import order_figure
from striate.reporting.pictures import Photos, of_data, photo
from striate.reporting.tables import table
from striate.reporting.wording import count, counted, number, percent

TILE = 112
BIASES = "biases on the way"


def stream_section(pieces: Sequence[Evidence], of: str | None = None) -> Html:
    """One row for each block: the stream behind it, what it adds, and what becomes without it.

    ``of``: the name of this network where another stands beside it; what every network has, with
    skips or without, then comes first.
    """
    parts = {piece.name.partition(".")[2]: piece for piece in pieces}
    order = parts.pop("order", None)
    pieces = list(parts.values())
    drawn = [piece for piece in parts.values() if piece.inapplicable is None and not piece.withheld]
    strip, lens, lesions = (
        parts[name] if name in parts and parts[name] in drawn else None
        for name in ("strip", "lens", "lesions")
    )
    names = next((piece.facts["names"] for piece in (strip, lesions) if piece is not None), None)
    told = [shown(piece, lambda: el("div"), "") for piece in pieces if piece not in drawn]
    ordered = None if order is None else order_figure(order)
    if names is None:
        return join([*dict.fromkeys(told), ordered])
    columns: list[Column] = []
    if strip is not None:
        arrays = strip.arrays
        columns += [
            column("stream", arrays["norm"], number),
            column("share", arrays["share"], lambda v: minus(percent(v, 0)), most=1.0),
            column("cosine", arrays["cosine"], lambda value: minus(f"{value:.2f}"), most=1.0),
        ]
    if lens is not None:
        columns += [
            column("stopped", lens.arrays["accuracy"][1:], lambda v: percent(v, 0), most=1.0),
            column("agrees", lens.arrays["agreement"][1:], lambda v: percent(v, 0), most=1.0),
        ]
    if lesions is not None:
        without = [
            column(title, lesions.arrays[key], lambda v: percent(v, 0), most=1.0)
            for title, key in (("without", "accuracy"), ("settled", "settled"))
            if key in lesions.arrays
        ]
        columns = [*columns, *without] if of is None else [*without, *columns]
    rows = [
        [str(name), *(cells[place] for _, cells in columns)] for place, name in enumerate(names)
    ]
    heads = ["block", *(title for title, _ in columns)]
    figure = el(
        "figure.evidence",
        table(
            heads,
            rows,
            label="Block by block" if of is None else f"Block by block, {of}",
            numeric=range(1, len(heads)),
            blocks=list(names),
        ),
        el("figcaption", " ".join(_stream_words(strip, lens, lesions))),
        *told,
        *_checks(drawn),
    )
    return join([figure, ordered])


def _checks(pieces: Sequence[Evidence]) -> list[Html | None]:
    """What stands behind the pieces, each check once."""
    return [passed_list(tuple(dict.fromkeys(c for piece in pieces for c in piece.checks)))]


def _stream_words(
    strip: Evidence | None, lens: Evidence | None, lesions: Evidence | None
) -> list[str]:
    words: list[str] = []
    if strip is not None:
        words.append(
            f"Over {counted(strip.facts['images'], 'image')} of the {strip.facts['split']} split. "
            "Stream: root mean square of what stands behind the block. Share: how much of it the "
            "block is; what came before is the rest. Cosine: whether it adds along the stream (1), "
            "across it (0) or takes away (−1)."
        )
    if lens is not None:
        start = float(lens.arrays["accuracy"][0])
        words.append(
            "Stopped: accuracy if all blocks behind add nothing; before the first it is "
            f"{percent(start, 0)}. Agrees: how often that is the final verdict."
        )
    if lesions is not None:
        facts = lesions.facts
        words.append(
            f"Without: accuracy if {facts['unit']}; whole it is {percent(facts['whole'], 0)}."
        )
        if facts["whole_settled"] is not None:
            words.append(
                "Settled: the same with the norms' statistics estimated again behind the block, on "
                f"{counted(facts['settled_on'], 'image')}; whole it is "
                f"{percent(facts['whole_settled'], 0)}."
            )
    return words


def ledger_section(pieces: Sequence[Evidence], photos: Photos) -> Html:
    """For each picture who wrote the logit of its class and of the next, and the difference."""
    return join([_ledger(piece, photos) for piece in pieces])


def _ledger(piece: Evidence, photos: Photos) -> Html:
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    facts = piece.facts
    written = np.asarray(piece.arrays["written"], np.float64)
    first, second = [*facts["classes"], "·"][:2]
    rows = _rows(facts["parts"], written)
    columns = [np.array([row[0] for _, row in rows])]
    heads = ["part", f"for {first}"]
    if written.shape[1] > 1:
        columns += [np.array([row[1] for _, row in rows])]
        columns += [columns[0] - columns[1]]
        heads += [f"for {second}", "difference"]
    most = [float(np.abs(numbers[:-1]).max(initial=0.0)) for numbers in columns]

    def draw() -> Html:
        cells = [
            [
                name,
                *(
                    bar(float(numbers[at]), top, minus(f"{numbers[at]:+.3f}"), signed=True)
                    for numbers, top in zip(columns, most, strict=True)
                ),
            ]
            for at, (name, _) in enumerate(rows)
        ]
        label = f"Ledger of {facts['picture']}"
        return join(
            [
                of_data(
                    photo(piece.arrays["picture"], photos.pixel_range),
                    photos,
                    str(facts["picture"]),
                    width=TILE,
                ),
                table(
                    heads,
                    cells,
                    label=label,
                    numeric=range(1, len(heads)),
                    marked=len(rows) - 1,
                    blocks=[name for name, _ in rows],
                ),
            ]
        )

    said = f"{facts['picture']}" + (f", a {facts['label']}" if facts["label"] else "")
    caption = (
        f"{said}, called {first}. {facts['why']} Each row is what a block added to the stream, "
        "carried to the logit through all that stands behind it as it was for this image; they sum "
        f"to the logit. {' '.join(facts['notes'])}"
    )
    return join([el("h3", piece.title), shown(piece, draw, caption)])


def _rows(
    parts: Sequence[Sequence[str]], written: NDArray[np.float64]
) -> list[tuple[str, NDArray[np.float64]]]:
    """Image, blocks and frozen outcomes each by itself, all biases as one, the sum last."""
    rows = [
        (name, row) for (name, _, kind), row in zip(parts, written, strict=True) if kind != "bias"
    ]
    biases = [row for (_, _, kind), row in zip(parts, written, strict=True) if kind == "bias"]
    if biases:
        rows.append((f"{len(biases)} {BIASES}", np.sum(biases, axis=0)))
    rows.append(("logit", written.sum(axis=0)))
    return rows


def paths_section(piece: Evidence) -> Html:
    """Paths and gradient by length, side by side."""
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    facts, arrays = piece.facts, piece.arrays
    lengths = len(facts["counts"])
    columns: list[Column] = [
        (
            "paths",
            [
                count(int(text)) if len(text) < 10 else f"{int(text):.2e}"
                for text in facts["counts"]
            ],
        ),
        column("of all", arrays["path_shares"], lambda value: percent(value, 1)),
        column("norm", arrays["gradient_norms"], number),
        column("of the gradient", arrays["gradient_shares"], lambda value: minus(f"{value:+.1%}")),
    ]

    def draw() -> Html:
        rows = [[str(at), *(cells[at] for _, cells in columns)] for at in range(lengths)]
        heads = ["branches", *(title for title, _ in columns)]
        return table(heads, rows, label="Paths by length", numeric=range(len(heads)))

    together = float(np.sum(arrays["gradient_norms"]))
    caption = (
        f"{facts['picture']}, gradient of the logit of {facts['class']} by the image. A path "
        f"passes each of {counted(facts['branches'], 'branch', 'branches')} or goes past it on the "
        "skip. The vectors of all lengths sum to the gradient, so the last column sums to 100 %; "
        f"norms do not add: together they are {number(together)}, the gradient's is "
        f"{number(facts['whole'])}."
    )
    return shown(piece, draw, caption)
