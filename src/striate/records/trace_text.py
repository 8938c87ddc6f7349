"""A trace as text: a table for a terminal, Markdown, CSV.

Comes in: rows and columns.  Goes out: strings.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from striate.errors import InputError
from striate.records.layer import Failure, Layer
from striate.records.trace_columns import DEFAULT, RAW, Column, columns, in_order
from striate.records.trace_rows import Folding, Row, fitting_depth, flat, rows
from striate.records.wording import by, count, end_out, middle_out, size

if TYPE_CHECKING:  # trace.py calls this file, so this file knows its name for types only
    from striate.records.trace import Trace

MOST_ROWS = 80
"""A table with more rows is folded at the depth at which it has no more, if none is asked for."""
_GAP = 2
_COUNTED = frozenset(
    ("backward_macs", "out_bytes", "read_bytes", "written_bytes", "intensity", "saved_bytes")
)
"""Columns in which blocks must be equal too to be folded into one."""


@dataclass(frozen=True, kw_only=True)
class View:
    """How a trace is to be shown.

    ``depth``: fold modules this deep in the module tree; None folds where the table would be
    longer than 80 rows.  ``columns``: their names (None: the usual ones).  ``sort``: the
    largest first, by this column, without headings.  ``every``: pointwise operations and views
    too, nothing folded.
    """

    depth: int | None = None
    columns: tuple[str, ...] | None = None
    sort: str | None = None
    every: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows and columns that were chosen.  ``folded_at``: the depth it was cut at, or None."""

    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    folded_at: int | None


def table(layers: Sequence[Layer], view: View, modules: Mapping[str, str] | None = None) -> Table:
    """What a view shows of these layers.  InputError for what the view cannot be."""
    if view.depth is not None and view.depth < 1:
        raise InputError(
            f"depth {view.depth}: modules are counted from 1; leave it out to fold only what is "
            "long"
        )
    chosen = columns(DEFAULT if view.columns is None else view.columns)
    names = {column.name for column in chosen}
    folding = Folding(
        every=view.every,
        repeats=not view.every,
        also=tuple(sorted(names & _COUNTED)),
        modules=modules,
    )
    depth = view.depth
    if view.depth is None and not view.every and view.sort is None:
        depth = fitting_depth(layers, folding, MOST_ROWS)
    made = rows(layers, replace(folding, depth=depth))
    if view.sort is not None:
        made = in_order(flat(made), view.sort)
    elif view.every:
        made = flat(made)
    return Table(rows=tuple(made), columns=chosen, folded_at=depth)


def lines(shown: Table, *, width: int | None = None) -> list[str]:
    """The table as lines, the header first; then one for each row.

    Where ``width`` columns do not suffice, paths lose their middles first, then operations their
    ends; numbers are whole.
    """
    cells = [[column.header for column in shown.columns]]
    cells += [[column.text(row) for column in shown.columns] for row in shown.rows]
    tails = ["", *(_times(row) for row in shown.rows)]
    indents = [0, *(row.indent for row in shown.rows)]
    widths = [max(len(line[n]) for line in cells) for n in range(len(shown.columns))]
    names = [column.name for column in shown.columns]
    if "path" in names:
        at = names.index("path")
        widths[at] = max(
            indent + len(line[at]) + len(tail)
            for line, tail, indent in zip(cells, tails, indents, strict=True)
        )
    gap = _GAP
    if width is not None:
        gap = _fit(widths, names, width)
    return [
        _line(line, tail, indent, widths, shown.columns, gap)
        for line, tail, indent in zip(cells, tails, indents, strict=True)
    ]


def _fit(widths: list[int], names: list[str], width: int) -> int:
    """Take what the table is too wide by from what can be cut, a little of each in turn.

    Returns the columns between two cells.
    """
    over = sum(widths) + _GAP * (len(widths) - 1) - width
    gap = _GAP if over <= 0 else 1
    over -= (_GAP - gap) * (len(widths) - 1)
    for name, least in (
        ("path", 30), ("op", 16), ("module", 12), ("source", 20), ("defined", 20), ("path", 16),
        ("op", 12),
    ):  # fmt: skip
        if over > 0 and name in names:
            at = names.index(name)
            taken = min(over, max(0, widths[at] - least))
            widths[at] -= taken
            over -= taken
    return gap


def _line(
    cells: list[str], tail: str, indent: int, widths: list[int], shown: Sequence[Column], gap: int
) -> str:
    parts: list[str] = []
    for text, width, column in zip(cells, widths, shown, strict=True):
        if column.name == "path":
            parts.append(
                " " * indent
                + (middle_out(text, width - indent - len(tail)) + tail).ljust(width - indent)
            )
        elif column.right:
            parts.append(text.rjust(width))
        else:
            cut = middle_out if column.name in ("source", "defined") else end_out
            parts.append(cut(text, width).ljust(width))
    return (" " * gap).join(parts).rstrip()


def _times(row: Row) -> str:
    return f" ×{row.portion.times}" if row.portion.times > 1 else ""


def markdown(shown: Table) -> str:
    """The table in Markdown, each row with its whole path."""
    repeated = any(row.portion.times > 1 for row in shown.rows)
    heads = ["times"] if repeated else []
    sides = ["--:"] if repeated else []
    heads += [column.header for column in shown.columns]
    sides += ["--:" if column.right else ":--" for column in shown.columns]
    written = [_piped(heads), _piped(sides)]
    for row in shown.rows:
        cells = [_times(row).strip()] if repeated else []
        cells += [
            (row.portion.path or column.text(row)) if column.name == "path" else column.text(row)
            for column in shown.columns
        ]
        written.append(_piped([cell.replace("|", "\\|") for cell in cells]))
    return "\n".join(written) + "\n"


def summary(trace: Trace) -> str:
    """What the whole costs, in two lines; then what is not understood, and where it stopped."""
    totals = trace.totals
    said = [
        (
            f"{totals.params:,} parameters · {count(totals.macs)} MACs · "
            f"{count(totals.activations)} activations"
        ),
        weight(trace),
    ]
    if trace.unknown:
        said.append(f"not understood: {', '.join(trace.unknown)}; their cost is not counted")
    if trace.failure is not None:
        said.append(stopped(trace.failure))
    return "\n".join(said)


def weight(trace: Trace) -> str:
    """The memory that the whole takes; of a training step, where one was traced."""
    totals, batch = trace.totals, trace.layers[0].shape[0]
    images = "one image" if batch == 1 else f"{batch:,} images"
    if totals.step_bytes is None:
        return (
            f"{size(totals.infer_bytes)} to infer, {size(totals.train_bytes)} to train on {images}"
        )
    held = [
        f"{size(totals.saved_bytes)} saved for backward",
        f"{size(totals.gradient_bytes)} gradients",
    ]
    if trace.optimiser is not None:
        held.append(f"{size(totals.optimiser_bytes)} of {trace.optimiser}")
    return (
        f"a training step on {images}: {count(totals.train_macs)} MACs, "
        f"{count(totals.backward_macs)} of them backward; {size(totals.step_bytes)} at most "
        f"({', '.join(held)})"
    )


def stopped(failure: Failure) -> str:
    """Where a forward stopped, which shapes met there, why, and the mend."""
    shapes = " and ".join(map(by, failure.shapes[:2]))
    known = ", ".join(part for part in (failure.op, failure.source) if part)
    where = f"{failure.path or 'forward'}{f' ({known})' if known else ''}"
    met = f" {shapes} met:" if shapes else ""
    mend = f"; {failure.hint}" if failure.hint else ""
    return f"stopped at {where}:{met} {failure.message}{mend}"


def _piped(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def comma_separated(
    layers: Sequence[Layer], view: View, modules: Mapping[str, str] | None = None
) -> str:
    """A row for each operation (or, with ``depth``, for each module) with plain numbers.

    ``shape`` holds the batch too; pairs are two columns, ``field_h`` and ``field_w``.
    """
    chosen = columns(RAW if view.columns is None else view.columns)
    folding = Folding(depth=view.depth, every=True, repeats=False, modules=modules)
    made = flat(rows(layers, folding))
    if view.sort is not None:
        made = in_order(made, view.sort)
    records: list[dict[str, Any]] = [
        {key: value for column in chosen for key, value in column.values(row).items()}
        for row in made
    ]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue()
