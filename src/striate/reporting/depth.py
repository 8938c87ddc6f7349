"""Along the depth of a network: the stream block by block, a logit's ledger, paths, layers.

Everything that is measured of one block stands in one row, in the order of depth, so that it can be
read across.

Comes in: Evidence ``stream.<part>``, ``ledger.<number>``, ``paths``, ``depth.<part>``.  Goes out:
sections.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.records import Evidence
from striate.reporting.evidence import check_list, shown
from striate.reporting.html import Child, Html, el, join
from striate.reporting.pictures import levels, photo, picture
from striate.reporting.tables import table
from striate.reporting.wording import count, counted, number, percent

WIDE, TALL = 64, 10  # of a bar, in user units
TILE = 112
BIASES = "biases on the way"
Column = tuple[str, list[Child]]


def bar(value: float, most: float, words: str, *, signed: bool = False) -> Html:
    """A number with a bar to scale behind it; a negative one grows to the left of the middle."""
    if not np.isfinite(value):
        return el("span", "·")
    share = min(1.0, abs(value) / most) if most > 0 else 0.0
    room = WIDE / 2 if signed else WIDE
    start = (room if value >= 0 else room * (1 - share)) if signed else 0.0
    drawn = el(
        "svg.bar",
        el("rect.room", attrs={"width": WIDE, "height": TALL}),
        el(
            "rect.minus" if value < 0 else "rect.plus",
            attrs={"x": f"{start:.2f}", "width": f"{room * share:.2f}", "height": TALL},
        ),
        attrs={"viewBox": f"0 0 {WIDE} {TALL}", "aria-hidden": "true"},
    )
    return join([words, " ", drawn])


def _signed(text: str) -> str:
    """A number with a minus sign instead of a hyphen.

    >>> _signed("-0.25")
    '−0.25'
    """
    return text.replace("-", "−")


def _column(
    title: str,
    values: Sequence[float] | NDArray[np.float64],
    say: Callable[[float], str],
    *,
    most: float | None = None,
) -> Column:
    numbers = [float(value) for value in values]
    finite = [abs(value) for value in numbers if np.isfinite(value)]
    top = max(finite, default=0.0) if most is None else most
    signed = any(value < 0 for value in numbers)
    return title, [bar(value, top, say(value), signed=signed) for value in numbers]


def stream_section(pieces: Sequence[Evidence]) -> Html:
    """One row for each block: the stream behind it, what it adds, and what becomes without it."""
    parts = {piece.name.partition(".")[2]: piece for piece in pieces}
    drawn = [piece for piece in parts.values() if piece.inapplicable is None and not piece.withheld]
    strip, lens, lesions = (
        parts[name] if name in parts and parts[name] in drawn else None
        for name in ("strip", "lens", "lesions")
    )
    names = next((piece.facts["names"] for piece in (strip, lesions) if piece is not None), None)
    told = [shown(piece, lambda: el("div"), "") for piece in pieces if piece not in drawn]
    if names is None:
        return join(dict.fromkeys(told))
    columns: list[Column] = []
    if strip is not None:
        arrays = strip.arrays
        columns += [
            _column("stream", arrays["norm"], number),
            _column("share", arrays["share"], lambda v: _signed(percent(v, 0)), most=1.0),
            _column("cosine", arrays["cosine"], lambda value: _signed(f"{value:.2f}"), most=1.0),
        ]
    if lens is not None:
        columns += [
            _column("stopped", lens.arrays["accuracy"][1:], lambda v: percent(v, 0), most=1.0),
            _column("agrees", lens.arrays["agreement"][1:], lambda v: percent(v, 0), most=1.0),
        ]
    if lesions is not None:
        columns.append(
            _column("without", lesions.arrays["accuracy"], lambda v: percent(v, 0), most=1.0)
        )
        if "settled" in lesions.arrays:
            columns.append(
                _column("settled", lesions.arrays["settled"], lambda v: percent(v, 0), most=1.0)
            )
    rows = [
        [str(name), *(cells[place] for _, cells in columns)] for place, name in enumerate(names)
    ]
    heads = ["block", *(title for title, _ in columns)]
    return el(
        "figure.evidence",
        table(heads, rows, label="Block by block", numeric=range(1, len(heads))),
        el("figcaption", " ".join(_stream_words(strip, lens, lesions))),
        *told,
        *_checks(drawn),
    )


def _checks(pieces: Sequence[Evidence]) -> list[Html | None]:
    """What stands behind the pieces, each check once."""
    return [check_list(tuple(dict.fromkeys(c for piece in pieces for c in piece.checks)))]


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


def ledger_section(pieces: Sequence[Evidence], pixel_range: tuple[float, float]) -> Html:
    """For each picture who wrote the logit of its class and of the next, and the difference."""
    return join([_ledger(piece, pixel_range) for piece in pieces])


def _ledger(piece: Evidence, pixel_range: tuple[float, float]) -> Html:
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
    most = [float(np.abs(column[:-1]).max(initial=0.0)) for column in columns]

    def draw() -> Html:
        cells = [
            [
                name,
                *(
                    bar(float(column[at]), top, _signed(f"{column[at]:+.3f}"), signed=True)
                    for column, top in zip(columns, most, strict=True)
                ),
            ]
            for at, (name, _) in enumerate(rows)
        ]
        label = f"Ledger of {facts['picture']}"
        return join(
            [
                picture(
                    photo(piece.arrays["picture"], pixel_range), str(facts["picture"]), width=TILE
                ),
                table(
                    heads, cells, label=label, numeric=range(1, len(heads)), marked=len(rows) - 1
                ),
            ]
        )

    said = f"{facts['picture']}" + (f", a {facts['label']}" if facts["label"] else "")
    caption = (
        f"{said}, called {first}. {facts['why']} Each row is what a block added to the stream, "
        "carried to the logit through all that stands behind it as it was for this image; they sum "
        f"to the logit. {' '.join(facts['notes'])}"
    )
    return join([el("h4", piece.title), shown(piece, draw, caption)])


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
        _column("of all", arrays["path_shares"], lambda value: percent(value, 1)),
        _column("norm", arrays["gradient_norms"], number),
        _column(
            "of the gradient", arrays["gradient_shares"], lambda value: _signed(f"{value:+.1%}")
        ),
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


def depth_section(pieces: Sequence[Evidence]) -> Html:
    """Layers by depth: the directions they use, and how alike they are."""
    return join([_DEPTH[piece.name.partition(".")[2]](piece) for piece in pieces])


def _probes(piece: Evidence) -> Html:
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    facts, arrays = piece.facts, piece.arrays

    def draw() -> Html:
        columns = [
            _column("after", arrays["accuracy"], lambda v: percent(v, 0), most=1.0)[1],
            _column("before", arrays["before"], lambda v: percent(v, 0), most=1.0)[1],
        ]
        rows: list[list[Child]] = [
            [str(name), int(arrays["depths"][at]), columns[0][at], columns[1][at]]
            for at, name in enumerate(facts["names"])
        ]
        heads = ["layer", "depth", "probe", "before training"]
        marked = list(facts["names"]).index(facts["rises_until"])
        return table(heads, rows, label="Probes by depth", numeric=(1, 2, 3), marked=marked)

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
    return join([el("h4", piece.title), shown(piece, draw, caption)])


def _saturation(piece: Evidence) -> Html:
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    facts, arrays = piece.facts, piece.arrays

    def draw() -> Html:
        shares = _column("saturation", arrays["share"], lambda v: percent(v, 0), most=1.0)[1]
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
        return table(heads, rows, label="Saturation by depth", numeric=(1, 2, 3))

    caption = (
        f"Directions that hold {percent(facts['level'], 0)} of the variance between channels, over "
        f"{counted(facts['images'], 'image')} of the {facts['split']} split and all positions. "
        "Depth: layers with weights up to there."
    )
    return join([el("h4", piece.title), shown(piece, draw, caption)])


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
            _column("like the one before", before, lambda v: f"{v:.2f}", most=1.0)[1],
            _column("like the last", last, lambda v: f"{v:.2f}", most=1.0)[1],
        ]
        rows = [[name, columns[0][at], columns[1][at]] for at, name in enumerate(names)]
        heads = ["layer", "like the one before", "like the last"]
        return join(
            [
                picture(pixels, words, width=2 * TILE, title=words),
                table(heads, rows, label="Likeness of layers", numeric=(1, 2)),
            ]
        )

    caption = (
        f"Unbiased linear CKA over {counted(facts['images'], 'image')} of the {facts['split']} "
        "split: 1 where two layers tell the images apart in the same way, 0 where they have "
        f"nothing in common (black). {counted(facts['shuffles'], 'shuffle')} of the images say how "
        "much would be seen by chance."
    )
    return join([el("h4", piece.title), shown(piece, draw, caption)])


def _shattering(piece: Evidence) -> Html:
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    facts, arrays = piece.facts, piece.arrays
    twin = "twin" in arrays

    def draw() -> Html:
        kinds = ("cosine", "before", *(("twin",) if twin else ()))
        columns = [
            _column(kind, arrays[kind], lambda v: _signed(f"{v:.2f}"), most=1.0)[1]
            for kind in kinds
        ]
        rows: list[list[Child]] = [
            [str(name), int(arrays["depths"][at]), *(cells[at] for cells in columns)]
            for at, name in enumerate(facts["names"])
        ]
        heads = ["layer", "depth", "now", "before training", *(("plain twin",) if twin else ())]
        label = "Likeness of gradients by depth"
        return table(heads, rows, label=label, numeric=range(1, len(heads)))

    caption = (
        "Mean cosine between the gradients, by what each layer hands on, of pairs of "
        f"{counted(facts['images'], 'image')} of the {facts['split']} split: near 0 the gradient "
        "of one image says nothing of another's. Norms hold these images' statistics."
    )
    if twin:
        caption += " Plain twin: the same layers without skips, before training."
    return join([el("h4", piece.title), shown(piece, draw, caption)])


_DEPTH: Mapping[str, Callable[[Evidence], Html]] = {
    "probes": _probes,
    "saturation": _saturation,
    "likeness": _likeness,
    "shattering": _shattering,
}
