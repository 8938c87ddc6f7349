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


def layer_table(trace: Trace, *, every: bool = False) -> Table:
    """One row for each operation that costs, joins, or changes the map; all with ``every``."""
    table = plain_table(
        ("layer", "left"), ("operation", "left"), ("output", "right"),
        ("params", "right"), ("MACs", "right"), ("field", "right"),
    )  # fmt: skip
    for column, width in zip(table.columns, (24, 19, 12, 6, 6, 6), strict=True):
        column.max_width = width
        column.min_width = min(width, 6)
    for layer in trace.layers:
        if every or _is_shown(layer):
            table.add_row(
                escape(tail(layer.path or trace.name, 24)),
                escape(operation(layer)),
                "×".join(map(str, layer.shape[1:])) or "scalar",
                count(layer.params) if layer.params else "",
                "?" if layer.macs is None else count(layer.macs) if layer.macs else "",
                field_text(layer.field),
            )
    return table


def _is_shown(layer: Layer) -> bool:
    return layer.op not in _POINTWISE or layer.macs is None


def tail(path: str, width: int) -> str:
    """The end of a path, since its end is what tells layers apart."""
    return path if len(path) <= width else "…" + path[-(width - 1) :]


def operation(layer: Layer) -> str:
    """The operation with its kernel and stride: ``conv2d 3×3/2``."""
    attrs = layer.attrs
    text = layer.op
    kernel = attrs.get("kernel")
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


def totals_line(trace: Trace) -> str:
    """What the whole costs, and what the table above left out."""
    hidden = sum(layer.params for layer in trace.layers if not _is_shown(layer))
    totals = trace.totals
    text = (
        f"[key]{totals.params:,}[/] parameters · [key]{count(totals.macs)}[/] MACs · "
        f"[key]{count(totals.activations)}[/] activations · "
        f"{size(totals.infer_bytes)} to infer, {size(totals.train_bytes)} to train on one image"
    )
    if hidden:
        text += f"\n[dim]{hidden:,} of the parameters are in norms and other pointwise operations"
        text += " (--all shows them)[/]"
    return text


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
