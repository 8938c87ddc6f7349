"""A trace as a small table for a notebook: no script, no style sheet, colours of the page it is in.

Comes in: a Trace.  Goes out: HTML, everything in it escaped.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from striate.records.trace_columns import Column
from striate.records.trace_rows import Row
from striate.records.trace_text import View, summary, table
from striate.records.wording import by

if TYPE_CHECKING:  # trace.py calls this file, so this file knows its name for types only
    from striate.records.trace import Trace

_NUMBERS = "text-align:right;font-variant-numeric:tabular-nums"
_WORDS = "text-align:left"


def trace_html(trace: Trace) -> str:
    """The folded layer table with the totals below it; every heading bold, its rows indented."""
    shown = table(trace.layers, View(), trace.modules)
    heads = "".join(f'<th style="{_side(column)}">{escape(column.header)}</th>'
                    for column in shown.columns)  # fmt: skip
    body = "".join(
        "<tr>" + "".join(_cell(row, column) for column in shown.columns) + "</tr>"
        for row in shown.rows
    )
    said = "<br>".join(escape(line) for line in summary(trace).splitlines())
    return (
        f"<div><p><strong>{escape(trace.name)}</strong> {escape(by(trace.image))}</p>"
        f'<div style="max-height:34em;overflow:auto"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div><p>{said}</p></div>"
    )


def _cell(row: Row, column: Column) -> str:
    text = escape(column.text(row))
    if column.name != "path":
        return f'<td style="{_side(column)}">{text}</td>'
    times = f" ×{row.portion.times}" if row.portion.times > 1 else ""
    strong = f"<strong>{text}</strong>" if row.kind == "group" else text
    indent = f";padding-left:{0.5 + row.indent * 0.6:g}em"
    return f'<td style="{_side(column)}{indent}">{strong}{times}</td>'


def _side(column: Column) -> str:
    return _NUMBERS if column.right else _WORDS
