"""Tables that scroll inside their own frame, so that the page never does.

Comes in: records.  Goes out: ``<table>`` elements in a focusable region.
"""

from __future__ import annotations

from collections.abc import Sequence

from striate.records import Finding, Layer, ProbeResult, Trace
from striate.reporting.html import Child, Html, el, join
from striate.reporting.wording import count, number, percent, short, size


def frame(inside: Html, label: str) -> Html:
    """A region that scrolls sideways when it must, reachable with the keyboard."""
    return el("div.scroll", inside, attrs={"role": "region", "aria-label": label, "tabindex": 0})


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[Child]],
    *,
    label: str,
    numeric: Sequence[int] = (),
    marked: int | None = None,
    blocks: Sequence[str | None] = (),
    kind: str | None = None,
) -> Html:
    """A table in its frame.  The first cell of a row is its header.

    ``numeric``: the columns that align right.  ``marked``: the row that is set off.  ``blocks``:
    for each row the module it is about, by which the page finds it again.
    ``kind``: the style of the table.
    """

    def cell(column: int, value: Child) -> Html:
        kind = ".num" if column in numeric else ""
        if column == 0:
            return el(f"th{kind}", value, attrs={"scope": "row"})
        return el(f"td{kind}", value)

    titles = [
        el("th.num" if column in numeric else "th", title, attrs={"scope": "col"})
        for column, title in enumerate(head)
    ]
    body = [
        el(
            "tr.marked" if index == marked else "tr",
            *(cell(column, value) for column, value in enumerate(row)),
            attrs={"data-block": blocks[index] if blocks else None},
        )
        for index, row in enumerate(rows)
    ]
    whole = el(
        f"table.{kind}" if kind else "table", el("thead", el("tr", *titles)), el("tbody", *body)
    )
    return frame(whole, label)


def definitions(pairs: Sequence[tuple[str, Child]]) -> Html:
    """Terms and what they are, as ``<dl>``."""
    return el("dl", *(el("div", el("dt", term), el("dd", value)) for term, value in pairs))


def layer_table(trace: Trace) -> Html:
    """Every operation: output, parameters, MACs and field."""
    return table(
        ["path", "operation", "output", "parameters", "MACs", "field"],
        [
            [
                layer.path or "·",
                layer.op,
                size(layer.shape[1:]) or "·",
                count(layer.params) if layer.params else "",
                "not known" if layer.macs is None else short(layer.macs) if layer.macs else "",
                _field(layer),
            ]
            for layer in trace
        ],
        label="All layers",
        numeric=(3, 4),
        blocks=[layer.path or None for layer in trace],
    )


def _field(layer: Layer) -> str:
    if layer.field is None:
        return ""
    if layer.field.status in ("whole", "unknown", "data-dependent"):
        return layer.field.status
    tall, wide = layer.field.size
    return f"{'≤ ' if layer.field.status == 'bound' else ''}{size((tall, wide))}"


def finding_list(findings: Sequence[Finding]) -> Html:
    """What the linter says, gravest first; or that it says nothing."""
    if not findings:
        return el("p", "No findings.")
    rank = {"error": 0, "warning": 1, "info": 2}
    return el(
        "ol.findings",
        *(_finding(finding) for finding in sorted(findings, key=lambda f: rank[f.severity])),
    )


def _finding(finding: Finding) -> Html:
    price = finding.price
    costs = [
        f"{short(amount)} {unit}"
        for amount, unit in (
            (price.params, "parameters"),
            (price.macs, "MACs"),
            (price.bytes, "bytes"),
        )
        if amount
    ]
    measured = [f"{key} {number(value)}" for key, value in finding.measured.items()]
    places = " · ".join(place for place in (finding.path, finding.source) if place)
    return el(
        f"li.{finding.severity}",
        el(
            "p",
            el("strong", f"{finding.code} {finding.name}"),
            el("span.severity", finding.severity),
        ),
        el("p", finding.message),
        el("p.small", "Mend: ", finding.fix) if finding.fix else None,
        el("p.small", join([el("code", places)])) if places else None,
        el("p.small", "Measured: ", ", ".join(measured)) if measured else None,
        el("p.small", "Price: ", ", ".join(costs)) if costs else None,
    )


def probe_table(probe: Sequence[ProbeResult]) -> Html:
    """The candidate settings as measured, the chosen one marked."""
    best = next((index for index, result in enumerate(probe) if result.chosen), None)
    compiling = ["s to compile"] if any(result.compile != "off" for result in probe) else []
    return table(
        ["setting", "images / s", "differs from fp32 by", "allowed", *compiling, "verdict"],
        [
            [
                result.name,
                f"{result.images_per_second:,.0f}",
                percent(result.deviation, 3),
                percent(result.tolerance, 1),
                *(_seconds(result.compile_seconds) for _ in compiling),
                _verdict(result),
            ]
            for result in probe
        ],
        label="Numeric settings as measured",
        numeric=(1, 2, 3, 4) if compiling else (1, 2, 3),
        marked=best,
    )


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.0f}"


def _verdict(result: ProbeResult) -> str:
    word = "chosen" if result.chosen else "agrees" if result.agrees else "refused"
    return word if result.why is None else f"{word}; {result.why}"
