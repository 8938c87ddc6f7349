"""Two runs side by side: a network and its twin, or another run on the same data.

Comes in: Evidence ``beside.<part>.<0 or 1>``, and of both ``beside.likeness``, ``beside.curves``.
Goes out: a section.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from striate.records import Evidence
from striate.reporting.bars import column, minus
from striate.reporting.depth import shattering_figure
from striate.reporting.evidence import shown
from striate.reporting.html import Child, Html, el, join
from striate.reporting.pictures import levels, picture
from striate.reporting.stream import stream_section
from striate.reporting.tables import table
from striate.reporting.wording import counted, number, percent, size

TILE = 224
Panel = Callable[[Mapping[str, Evidence], int, str], Html]
NOT_MEASURED = el("p", "Not measured.")
STREAM = ("strip", "lens", "lesions")


def beside_section(pieces: Sequence[Evidence]) -> Html:
    """Panel by panel, the first run's beside the second's where the page is wide enough."""
    parts = {piece.name.partition(".")[2]: piece for piece in pieces}
    curves = parts.get("curves")
    names = ["the first", "the second"] if curves is None else list(curves.facts["names"])
    body: list[Html] = []
    if curves is not None:
        body.append(_curves(curves, names))
    panels: tuple[tuple[str, Panel], ...] = (
        ("The stream, block by block", _stream),
        ("Field against probe", _fields),
        ("", _shattering),
    )
    for title, draw in panels:
        if title:
            body.append(el("h3", title))
        pair = [
            el("div", el("p", el("strong", str(name))), draw(parts, at, str(name)))
            for at, name in enumerate(names)
        ]
        body.append(el("div.pair", *pair))
    if "likeness" in parts:
        body.append(_likeness(parts["likeness"], names))
    return join(body)


def _stream(parts: Mapping[str, Evidence], at: int, of: str) -> Html:
    own = [
        replace(parts[f"{part}.{at}"], name=f"stream.{part}")
        for part in STREAM
        if f"{part}.{at}" in parts
    ]
    return stream_section(own, of)


def _shattering(parts: Mapping[str, Evidence], at: int, of: str) -> Html:
    piece = parts.get(f"shattering.{at}")
    if piece is None:
        return NOT_MEASURED
    return shattering_figure(piece, of)


def _fields(parts: Mapping[str, Evidence], at: int, of: str) -> Html:
    """What each layer can see, does see, and knows: fields and probes in one table."""
    fields, probes = parts.get(f"fields.{at}"), parts.get(f"probes.{at}")
    if fields is None:
        return NOT_MEASURED
    if fields.inapplicable is not None:
        return shown(fields, lambda: el("div"), "")
    known: dict[str, float] = {}
    if probes is not None and probes.inapplicable is None and not probes.withheld:
        known = dict(zip(probes.facts["names"], map(float, probes.arrays["accuracy"]), strict=True))
    layers: Sequence[Any] = fields.facts["layers"]

    def at_layer(path: str) -> float:
        own = [v for name, v in known.items() if name == path or name.startswith(f"{path}.")]
        return own[-1] if own else float("nan")

    def draw() -> Html:
        effective = [float(layer["after"]["side"]) for layer in layers]
        columns = [
            column("side", effective, lambda v: f"{v:.1f} px")[1],
            column("probe", [at_layer(str(layer["path"])) for layer in layers], _rate, most=1.0)[1],
        ]
        rows: list[list[Child]] = [
            [str(layer["path"]), size(layer["size"]), columns[0][place], columns[1][place]]
            for place, layer in enumerate(layers)
        ]
        heads = ["layer", "traced field", "effective side", "probe"]
        return table(heads, rows, label=f"Field against probe, {of}", numeric=(1, 2, 3))

    caption = (
        "Effective side: root of the number of pixels above 4.55 % of the strongest. Probe: "
        "accuracy of a linear classifier on what the layer hands on."
    )
    return shown(fields, draw, caption)


def _curves(piece: Evidence, names: Sequence[str]) -> Html:
    arrays = piece.arrays
    length = max(len(arrays["train_loss.0"]), len(arrays["train_loss.1"]))

    def padded(key: str) -> list[float]:
        values = [float(v) for v in arrays[key]]
        return values + [float("nan")] * (length - len(values))

    most = max(max(padded(f"train_loss.{at}"), default=0.0) for at in (0, 1))
    cells = [
        column("x", padded(f"{key}.{at}"), say, most=top)[1]
        for key, say, top in (("train_loss", number, most), ("val_accuracy", _rate, 1.0))
        for at in (0, 1)
    ]
    rows: list[list[Child]] = [
        [str(epoch + 1), *(one[epoch] for one in cells)] for epoch in range(length)
    ]
    heads = ["epoch", *(f"{what}, {name}" for what in ("loss", "val. acc.") for name in names)]
    ends = ", ".join(
        f"{name} ({arch}) {_rate(accuracy)}"
        for name, arch, accuracy in zip(
            names, piece.facts["archs"], piece.facts["accuracy"], strict=True
        )
        if accuracy is not None
    )
    return join(
        [
            el("p", f"Top-1 on the test split: {ends}."),
            el("h3", piece.title),
            table(heads, rows, label="Both trainings", numeric=range(5)),
        ]
    )


def _likeness(piece: Evidence, names: Sequence[str]) -> Html:
    if piece.inapplicable is not None:
        return shown(piece, lambda: el("div"), "")
    facts = piece.facts
    cka = np.asarray(piece.arrays["cka"], np.float64)
    null = np.asarray(piece.arrays["null"], np.float64)

    def draw() -> Html:
        clean = np.nan_to_num(cka, nan=-1.0)
        best = clean.argmax(axis=1)
        words = f"Unbiased linear CKA: layers of {names[0]} down, of {names[1]} across, by depth"
        places = np.arange(len(best))
        bars = column("CKA", cka[places, best], lambda v: minus(f"{v:.2f}"), most=1.0)[1]
        chance = column("null", null[places, best], lambda v: minus(f"{v:.2f}"), most=1.0)[1]
        rows: list[list[Child]] = [
            [str(name), str(facts["columns"][best[at]]), bars[at], chance[at]]
            for at, name in enumerate(facts["rows"])
        ]
        heads = [f"layer of {names[0]}", f"most like, of {names[1]}", "CKA", "by chance"]
        pixels = levels(np.nan_to_num(cka).clip(0, 1), 1.0, signed=False)
        return join(
            [
                picture(pixels, words, width=TILE, title=words),
                table(heads, rows, label="Likeness of the two", numeric=(2, 3)),
            ]
        )

    caption = (
        f"Over {counted(facts['images'], 'image')} of the {facts['split']} split. By chance: the "
        f"95th percentile of the same pair when one's images are shuffled, {facts['shuffles']} "
        "times."
    )
    return join([el("h3", piece.title), shown(piece, draw, caption)])


def _rate(value: float) -> str:
    return percent(value, 1)
