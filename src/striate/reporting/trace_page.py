"""A page to look around a traced network in: its module tree, its graph, and what it sees.

Comes in: a Trace, and a picture if there is one.  Goes out: one HTML document that asks for
nothing; without scripts it is the layer table.
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from striate.records import Trace
from striate.records.trace_text import View, stopped, table
from striate.reporting.document import document
from striate.reporting.html import Html, el, join
from striate.reporting.pictures import png_uri
from striate.reporting.script import ASSETS, digest
from striate.reporting.tables import table as html_table
from striate.reporting.trace_data import trace_data
from striate.reporting.wording import count, counted, short, size

SCRIPTS = ("trace-words.js", "trace-rows.js", "trace-graph.js", "trace-field.js", "trace-page.js")
MARK = '<meta name="generator" content="striate trace">'
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")


def render_trace(trace: Trace, picture: NDArray[np.uint8] | None = None) -> str:
    """One self-contained HTML document about one traced network.

    ``picture``: what receptive fields are drawn on, (H, W) or (H, W, 3) uint8, stretched to the
    image; by default a drawing.  The page names no address, its content security policy forbids
    every request, and text that came from outside (names, paths, messages) is escaped.
    """
    code = "(() => {\n" + "\n".join((ASSETS / name).read_text() for name in SCRIPTS) + "\n})();"
    # In a script element nothing is escaped, so that "<" must not stand there at all.
    data = json.dumps(trace_data(trace), ensure_ascii=False, separators=(",", ":"))
    written = data.replace("<", "\\u003c")
    body = (
        el("a.skip", "Skip to the layers", attrs={"href": "#layers"}),
        el("header.wider", _head(trace)),
        el("main.wider", _without_script(trace), _workbench()),
        el("footer.wider", el("p", _made(trace))),
        _picture(trace, picture),
        Html(f'<script type="application/json" id="data">{written}</script>'),
        Html(f"<script>{code}</script>"),
    )
    return document(
        title=f"{trace.name} at {size(trace.image)}",
        styles=("style.css", "trace.css"),
        allowed=digest(code),
        body=body,
        kind="trace",
        mark=MARK,
    )


def _head(trace: Trace) -> Html:
    totals = trace.totals
    pairs = [
        ("parameters", count(totals.params)),
        ("MACs", short(totals.macs)),
        ("activations", short(totals.activations)),
        ("to infer", _bytes(totals.infer_bytes)),
        ("to train on one image", _bytes(totals.train_bytes)),
    ]
    return join(
        [
            el("p.kicker", "striate · trace"),
            el("h1", trace.name),
            el("p.lede", _lede(trace)),
            _warnings(trace),
            el(
                "dl.figures-row",
                *(el("div", el("dt", name), el("dd", value)) for name, value in pairs),
            ),
        ]
    )


def _lede(trace: Trace) -> str:
    channels, height, width = trace.image
    end = trace.layers[-1].shape[1:]
    made = counted(end[0], "value") if len(end) == 1 else f"a map of {size(end)}" if end else "one"
    known = counted(len(trace) - 1, "operation")
    if not trace.complete:
        return f"An image of {height}×{width} pixels and {channels} channels goes {known} deep."
    return (
        f"An image of {height}×{width} pixels and {counted(channels, 'channel')} becomes {made} "
        f"in {known}."
    )


def _warnings(trace: Trace) -> Html | None:
    said: list[str] = []
    if trace.failure is not None:
        said.append(f"The forward {stopped(trace.failure)}")
    if trace.unknown:
        said.append(f"Not understood, and not counted: {', '.join(trace.unknown)}.")
    if not said:
        return None
    return el("div.stamp", *(el("p", line) for line in said))


def _without_script(trace: Trace) -> Html:
    """The folded layer table, for whoever runs no scripts."""
    shown = table(trace.layers, View(), trace.modules)
    rows = [
        [
            "\u2003" * (row.indent // 2)
            + shown.columns[0].text(row)
            + (f" ×{row.portion.times}" if row.portion.times > 1 else ""),
            *(column.text(row) for column in shown.columns[1:]),
        ]
        for row in shown.rows
    ]
    heads = [column.header for column in shown.columns]
    numeric = [n for n, column in enumerate(shown.columns) if column.right]
    return el("noscript", html_table(heads, rows, label="Layers", numeric=numeric))


def _workbench() -> Html:
    """The places that the script fills."""
    find = el(
        "label.find",
        el("span", "Find"),
        el(
            "input",
            attrs={
                "type": "search", "id": "find", "autocomplete": "off", "spellcheck": "false",
                "placeholder": "a path, an operation, a class",
            },
        ),
    )  # fmt: skip
    folds = el(
        "div.folds",
        *(
            el("button", text, attrs={"type": "button", "data-fold": level})
            for level, text in (("0", "modules"), ("1", "blocks"), ("2", "layers"))
        ),
        attrs={"role": "group", "aria-label": "How far the tree is unfolded"},
    )
    every = el(
        "label.every",
        el("input", attrs={"type": "checkbox", "id": "every"}),
        el("span", "norms and activations too"),
    )
    heads = el(
        "div.heads",
        *(
            el(f"span.{kind}", text, attrs={"role": "columnheader"})
            for kind, text in (
                ("what", "layer"), ("out", "output"), ("params", "parameters"), ("macs", "MACs"),
                ("sees", "field"),
            )
        ),
        attrs={"role": "row"},
    )  # fmt: skip
    grid = el(
        "div.grid",
        heads,
        el("div.rows", attrs={"id": "rows", "role": "rowgroup"}),
        attrs={"id": "layers", "role": "treegrid", "aria-label": "Layers", "aria-colcount": 5},
    )
    panel = el(
        "aside.panel",
        el("div.sight", attrs={"id": "sight"}),
        el("div.facts", attrs={"id": "facts", "aria-live": "polite"}),
        attrs={"aria-label": "The chosen layer"},
    )
    return el(
        "div.workbench",
        el("div.tree", el("div.tools", find, folds, every), grid, el("p.small.none", "")),
        panel,
        attrs={"id": "workbench", "hidden": True},
    )


def _picture(trace: Trace, picture: NDArray[np.uint8] | None) -> Html:
    """What fields are drawn on, as ``<symbol id="scene">``, one unit a pixel of the image."""
    _, height, width = trace.image
    if picture is None:
        scene = Html((ASSETS / "scene.svg").read_text())
        box, kept = "0 0 224 224", "xMidYMid slice"
    else:
        box, kept = f"0 0 {width} {height}", "none"
        scene = el(
            "image",
            attrs={
                "href": png_uri(picture),
                "width": width,
                "height": height,
                "preserveAspectRatio": "none",
                "class": "crisp" if max(picture.shape[:2]) <= 128 else None,
            },
        )
    symbol = el("symbol", scene, attrs={"id": "scene", "viewBox": box, "preserveAspectRatio": kept})
    return el("svg.defs", symbol, attrs={"width": 0, "height": 0, "aria-hidden": "true"})


def _made(trace: Trace) -> str:
    return (
        f"Made by striate by running {trace.name} once on shapes alone. Fields are of the element "
        "you point at: the frame is the widest path from the image, the dashed one the narrowest."
    )


def _bytes(value: int) -> str:
    """Bytes with three digits and a unit: ``98.6 MiB``."""
    shown, step = float(value), 0
    while shown >= 1024 and step < len(_BYTES) - 1:
        shown, step = shown / 1024, step + 1
    return f"{shown:.0f}\u00a0B" if step == 0 else f"{shown:.1f}\u00a0{_BYTES[step]}"
