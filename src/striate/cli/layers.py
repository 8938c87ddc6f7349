"""The layer table in a terminal, and the lines below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.markup import escape
from rich.text import Text

from striate.records import Trace
from striate.records.trace_rows import is_shown
from striate.records.trace_text import Table, View, lines, stopped, table, weight
from striate.records.wording import count

__all__ = ["layer_table", "notes", "rows_as_text", "stopped", "totals_lines", "unknown"]


def layer_table(trace: Trace, *, width: int | None, every: bool = False) -> Text:
    """The layer table, folded; every operation by itself with ``every``.

    ``width``: columns of the terminal, or None where nothing bounds the table.
    """
    return rows_as_text(table(trace.layers, View(every=every), trace.modules), width=width)


def rows_as_text(shown: Table, *, width: int | None) -> Text:
    """A table with its header, and the headings of blocks, set off."""
    head, *body = lines(shown, width=width)
    text = Text(head, "bold", no_wrap=True, overflow="ignore")
    for line, row in zip(body, shown.rows, strict=True):
        text.append("\n" + line, "bold" if row.kind == "group" else "not bold")
    return text


def notes(shown: Table) -> Iterator[str]:
    """What must be known to read the table: where it was folded, what ×N means."""
    if shown.folded_at is not None:
        yield (
            f"[dim]modules {shown.folded_at} deep are one row each; --depth shows more or less, "
            "--all everything[/]"
        )
    if any(row.portion.times > 1 for row in shown.rows):
        yield "[dim]×N: N alike in a row; numbers are of one, fields of the first and the last[/]"


def totals_lines(trace: Trace, *, every: bool = False) -> Iterator[str]:
    """What the whole costs, and what the table with the same ``every`` left out."""
    totals = trace.totals
    yield (
        f"[key]{totals.params:,}[/] parameters · [key]{count(totals.macs)}[/] MACs · "
        f"[key]{count(totals.activations)}[/] activations"
    )
    yield weight(trace)
    hidden = sum(layer.params for layer in trace.layers if not every and not is_shown(layer))
    if hidden:
        yield f"[dim]{hidden:,} of the parameters are in norms and such, which are not listed[/]"


def unknown(operations: Sequence[str]) -> Iterator[str]:
    """A line about operations that are not understood, if there are any."""
    if operations:
        names = escape(", ".join(operations))
        yield f"[bad]not understood:[/] {names}; their cost is not counted"
