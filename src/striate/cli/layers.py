"""The layer table, legible at 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table

from striate.cli.console import count, plain_table, size
from striate.records import Failure, Field, Layer, Trace

_POINTWISE = frozenset(
    (
        "batch_norm", "layer_norm", "group_norm", "instance_norm", "relu", "gelu", "silu",
        "sigmoid", "tanh", "hardswish", "hardsigmoid", "leaky_relu", "elu", "softmax", "dropout",
        "mul", "div", "sub", "identity", "to", "contiguous", "clone", "view", "reshape",
        "flatten", "permute", "transpose", "getitem", "select", "slice", "squeeze", "unsqueeze",
        "expand", "detach", "alias", "pad",
    )
)  # fmt: skip


def layer_table(trace: Trace, *, width: int | None, every: bool = False) -> Table:
    """One row for each operation that costs, joins, or changes the map; all with ``every``.

    ``width``: columns of the terminal, or None where nothing bounds the table.  Where they do not
    suffice, paths lose their middles first, then operations their ends; numbers are whole.
    """
    rows = [
        (
            layer.path or trace.name,
            operation(layer),
            "×".join(map(str, layer.shape[1:])) or "scalar",
            count(layer.params) if layer.params else "",
            "?" if layer.macs is None else count(layer.macs) if layer.macs else "",
            field_text(layer.field),
        )
        for layer in trace.layers
        if every or _is_shown(layer)
    ]
    if width is not None:
        spare = width - sum(max(len(row[n]) for row in [_HEADERS, *rows]) + 1 for n in (2, 3, 4, 5))
        widest = max(len(row[1]) for row in [_HEADERS, *rows])
        operations = max(_LEAST_OPERATION, min(widest, spare - 1 - _LEAST_PATH))
        paths = max(_LEAST_PATH, spare - 1 - operations)
        rows = [(middle_out(row[0], paths), end_out(row[1], operations), *row[2:]) for row in rows]
    sides = ("left", "left", "right", "right", "right", "right")
    table = plain_table(*zip(_HEADERS, sides, strict=True))
    for row in rows:
        table.add_row(*map(escape, row))
    return table


_HEADERS = ("layer", "operation", "output", "params", "MACs", "field")
_LEAST_PATH, _LEAST_OPERATION = 16, 12


def _is_shown(layer: Layer) -> bool:
    return layer.op not in _POINTWISE or layer.macs is None


def middle_out(path: str, width: int) -> str:
    """``path`` in ``width`` columns: its end tells layers apart, its beginning says the stage.

    >>> middle_out("stages.3.blocks.12.shortcut.conv", 24)
    'stages.…12.shortcut.conv'
    """
    if len(path) <= width:
        return path
    head = (width - 1) // 3
    return f"{path[:head]}…{path[-(width - 1 - head) :]}"


def end_out(text: str, width: int) -> str:
    """``text`` in ``width`` columns, its end left out if it must be."""
    return text if len(text) <= width else text[: width - 1] + "…"


def operation(layer: Layer) -> str:
    """The operation with its kernel and stride: ``conv2d 3×3/2``."""
    attrs = layer.attrs
    text = layer.op
    # An adaptive pool's kernel follows from its output, which has a column of its own.
    kernel = None if layer.op.startswith("adaptive") else attrs.get("kernel")
    if kernel is not None:
        text += f" {kernel[0]}×{kernel[1]}"
        stride = attrs.get("stride", (1, 1))
        if any(step != 1 for step in stride):
            text += f"/{stride[0]}" if stride[0] == stride[1] else f"/{stride[0]}×{stride[1]}"
    groups = attrs.get("groups", 1)
    return text if groups == 1 else f"{text} g{groups}"


def field_text(field: Field | None) -> str:
    """A receptive field in at most six characters: ``427``, ``≤91``, ``whole``."""
    if field is None:
        return ""
    if field.status == "whole":
        return "whole"
    if field.status in ("unknown", "data-dependent"):
        return "?"
    height, width = field.size
    text = f"{height}" if height == width else f"{height}×{width}"
    return f"≤{text}" if field.status == "bound" else text


def totals_lines(trace: Trace, *, every: bool = False) -> Iterator[str]:
    """What the whole costs, and what the table with the same ``every`` left out."""
    totals = trace.totals
    yield (
        f"[key]{totals.params:,}[/] parameters · [key]{count(totals.macs)}[/] MACs · "
        f"[key]{count(totals.activations)}[/] activations"
    )
    yield f"{size(totals.infer_bytes)} to infer, {size(totals.train_bytes)} to train on one image"
    hidden = sum(layer.params for layer in trace.layers if not every and not _is_shown(layer))
    if hidden:
        yield f"[dim]{hidden:,} of the parameters are in norms and such, which are not listed[/]"


def unknown(trace: Trace) -> Iterator[str]:
    """A line about operations that are not understood, if there are any."""
    if trace.unknown:
        names = escape(", ".join(trace.unknown))
        yield f"[bad]not understood:[/] {names}; their cost is not counted"


def stopped(failure: Failure) -> str:
    """Where a forward stopped, which shapes met there, why, and the mend."""
    shapes = " and ".join("×".join(map(str, shape)) for shape in failure.shapes[:2])
    where = f"{failure.path or 'forward'} ({failure.op}, {failure.source or 'unknown line'})"
    met = f" {shapes} met:" if shapes else ""
    mend = f"; {failure.hint}" if failure.hint else ""
    return f"stopped at {where}:{met} {failure.message}{mend}"
