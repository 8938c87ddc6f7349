"""The columns of a layer table: what each is called, how it reads, and what it is as a value.

Comes in: ``Row`` records.  Goes out: text for people, plain values for programs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from striate.errors import InputError, choices
from striate.records.layer import Field, Layer
from striate.records.trace_rows import Row
from striate.records.wording import by, count, size

Value = int | float | str | None


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.  ``name`` is what the JSON document calls it, ``header`` what people read.

    ``text`` writes a row's cell; ``values`` are its cells in a CSV file, by name.
    """

    name: str
    header: str
    says: str
    text: Callable[[Row], str]
    values: Callable[[Row], Mapping[str, Value]]
    right: bool = True


def operation(layer: Layer) -> str:
    """The operation with its kernel, stride and groups: ``conv2d 3×3/2 g32``."""
    attrs = layer.attrs
    text = layer.op
    # An adaptive pool's kernel follows from its output, which has a column of its own.
    kernel = None if layer.op.startswith("adaptive") else attrs.get("kernel")
    if kernel is not None:
        text += f" {by(kernel)}"
        stride = attrs.get("stride", (1, 1))
        if any(step != 1 for step in stride):
            text += f"/{stride[0]}" if len(set(stride)) == 1 else f"/{by(stride)}"
    groups = attrs.get("groups", 1)
    return text if groups == 1 else f"{text} g{groups}"


def field_text(field: Field | None) -> str:
    """A receptive field in a few characters: ``427``, ``≤91``, ``whole``."""
    if field is None:
        return ""
    if field.status == "whole":
        return "whole"
    if field.status in ("unknown", "data-dependent"):
        return "?"
    text = _square(field.size)
    return f"≤{text}" if field.status == "bound" else text


def _square(pair: tuple[int, int]) -> str:
    """A pair of lengths as one number where they are equal."""
    return f"{pair[0]}" if pair[0] == pair[1] else by(pair)


def _label(row: Row) -> str:
    return row.label or ("image" if row.layer.op == "input" else "·")


def _op(row: Row) -> str:
    if row.kind == "layer":
        return operation(row.layer)
    return row.portion.module


def _macs(row: Row) -> str:
    if not row.portion.known:
        return f"{count(row.portion.macs)}+?" if row.portion.macs else "?"
    return count(row.portion.macs) if row.portion.macs else ""


def _params(row: Row) -> str:
    own = count(row.portion.params) if row.portion.params else ""
    if row.kind == "layer" and row.layer.shares:
        return f"{own}+shared" if own else "shared"
    return own


def _backward(row: Row) -> str:
    if any(layer.backward_macs is None for layer in row.portion):
        return f"{count(row.portion.backward_macs)}+?" if row.portion.backward_macs else "?"
    return count(row.portion.backward_macs) if row.portion.backward_macs else ""


def _intensity(row: Row) -> str:
    value = row.portion.intensity
    return "?" if value is None else f"{value:.3g}" if value else ""


def _fields(row: Row) -> str:
    """The field; where repetitions differ, the first's and the last's."""
    first, last = field_text(row.portion.field), field_text(row.last)
    return first if first == last or not last else f"{first}–{last.lstrip('≤')}"


def _pair(get: Callable[[Field], tuple[int, int]]) -> Callable[[Row], str]:
    def text(row: Row) -> str:
        field = row.portion.field
        return "" if field is None or field.status != "exact" else _square(get(field))

    return text


def _sides(name: str, get: Callable[[Field], tuple[int, int]]) -> Callable[[Row], dict[str, Value]]:
    def values(row: Row) -> dict[str, Value]:
        field = row.portion.field
        tall, wide = (None, None) if field is None else get(field)
        return {f"{name}_h": tall, f"{name}_w": wide}

    return values


def _one(name: str, get: Callable[[Row], Value]) -> Callable[[Row], Mapping[str, Value]]:
    return lambda row: {name: get(row)}


def _bytes(name: str, header: str, says: str) -> Column:
    return Column(
        name=name,
        header=header,
        says=says,
        text=lambda row: size(value) if (value := getattr(row.portion, name)) else "",
        values=_one(name, lambda row: getattr(row.portion, name)),
    )


def _field(name: str, header: str, says: str, get: Callable[[Field], tuple[int, int]]) -> Column:
    return Column(
        name=name, header=header, says=says, text=_pair(get), values=_sides(name, get)
    )  # fmt: skip


def _of_layer(name: str, header: str, says: str, get: Callable[[Layer], Any]) -> Column:
    """A column that only single operations have."""

    def text(row: Row) -> str:
        value = get(row.layer) if row.kind == "layer" else None
        return "" if value is None else str(value)

    return Column(
        name=name, header=header, says=says, text=text, values=_one(name, text), right=False
    )


def _status(row: Row) -> str:
    return row.portion.field.status if row.portion.field else ""


def _index(row: Row) -> str:
    return str(row.layer.index)


_ALL = (
    Column(
        name="index", header="index", says="the number of the operation", text=_index,
        values=_one("index", lambda row: row.layer.index),
    ),
    Column(
        name="path", header="layer", says="the module it ran in", right=False,
        text=_label,
        values=_one("path", lambda row: row.portion.path),
    ),
    Column(
        name="op", header="operation", says="what it does, with kernel, stride and groups",
        text=_op, values=_one("op", lambda row: row.layer.op if row.kind == "layer" else ""),
        right=False,
    ),
    Column(
        name="module", header="module", says="the class of the module", right=False,
        text=lambda row: row.portion.module, values=_one("module", lambda row: row.portion.module),
    ),
    Column(
        name="shape", header="output", says="its output, without the batch",
        text=lambda row: by(row.portion.shape[1:]) or "scalar",
        values=_one("shape", lambda row: "x".join(map(str, row.portion.shape))),
    ),
    Column(
        name="params", header="params", says="parameters that it is the first to use",
        text=_params,
        values=_one("params", lambda row: row.portion.params),
    ),
    Column(
        name="macs", header="MACs", says="multiply-accumulates, forward",
        text=_macs,
        values=_one("macs", lambda row: row.portion.macs if row.portion.known else None),
    ),
    Column(
        name="backward_macs", header="backward",
        says="multiply-accumulates of its gradients in training", text=_backward,
        values=_one("backward_macs", lambda row: row.portion.backward_macs),
    ),
    Column(
        name="activations", header="activations",
        says="elements of the outputs of convolutions, linear layers and attention products",
        text=lambda row: count(row.portion.activations) if row.portion.activations else "",
        values=_one("activations", lambda row: row.portion.activations),
    ),
    _bytes("out_bytes", "written", "new bytes it writes"),
    _bytes("read_bytes", "reads", "bytes it reads, each tensor once"),
    _bytes("written_bytes", "writes", "bytes it writes, in place or not"),
    Column(
        name="intensity", header="MACs/B",
        says="multiply-accumulates for each byte that it reads or writes", text=_intensity,
        values=_one("intensity", lambda row: row.portion.intensity),
    ),
    _bytes("saved_bytes", "saved", "bytes that training keeps of it for backward"),
    Column(
        name="field", header="field", says="receptive field in pixels, along the widest path",
        text=_fields, values=_sides("field", lambda field: field.size),
    ),
    Column(
        name="status", header="status", says="how well the field is known",
        text=_status, values=_one("status", _status), right=False,
    ),
    _field("least", "least", "receptive field along the narrowest path", lambda f: f.least),
    _field("stride", "stride", "pixels from one field to the next", lambda f: f.stride),
    _field("start", "start", "the first pixel that the first element sees", lambda f: f.start),
    _of_layer("dtype", "type", "the type of its output", lambda layer: layer.dtype),
    _of_layer(
        "inputs", "inputs", "numbers of the operations that it takes",
        lambda layer: " ".join(map(str, layer.inputs)),
    ),
    Column(
        name="shares", header="shared", right=False,
        says="parameters of it that a layer before it used already",
        text=lambda row: " ".join(row.portion.shares),
        values=_one("shares", lambda row: " ".join(row.portion.shares)),
    ),
    _of_layer("source", "called at", "the line that called it", lambda layer: layer.source),
    _of_layer("defined", "made at", "the line that made its module", lambda layer: layer.defined),
)  # fmt: skip
COLUMNS: Mapping[str, Column] = {column.name: column for column in _ALL}
DEFAULT = ("path", "op", "shape", "params", "macs", "field")
TRAINING = ("path", "op", "shape", "params", "macs", "backward_macs", "saved_bytes")
RAW = (
    "index", "path", "op", "module", "shape", "params", "macs", "activations", "out_bytes",
    "saved_bytes", "status", "field", "stride", "inputs", "source", "defined",
)  # fmt: skip

_ORDERS: Mapping[str, Callable[[Row], float]] = {
    "index": lambda row: -row.portion.layers[0].index,
    "params": lambda row: row.portion.params,
    "macs": lambda row: row.portion.macs,
    "activations": lambda row: row.portion.activations,
    "backward_macs": lambda row: row.portion.backward_macs,
    "out_bytes": lambda row: row.portion.out_bytes,
    "read_bytes": lambda row: row.portion.read_bytes,
    "written_bytes": lambda row: row.portion.written_bytes,
    "intensity": lambda row: row.portion.intensity or 0.0,
    "saved_bytes": lambda row: row.portion.saved_bytes,
    "field": lambda row: max(row.portion.field.size) if row.portion.field else 0,
}
SORTS = tuple(_ORDERS)


def columns(names: Sequence[str]) -> tuple[Column, ...]:
    """The columns of these names; InputError for one that there is not, or for none at all."""
    unknown = next((name for name in names if name not in COLUMNS), None)
    if unknown is not None or not names:
        raise InputError(f"columns {unknown!r}: no such column; {_known(unknown, COLUMNS)}")
    return tuple(COLUMNS[name] for name in names)


def in_order(rows: Sequence[Row], sort: str) -> list[Row]:
    """Rows with the largest first (``index``: in the order of execution).

    InputError for an order that there is not.
    """
    if sort not in _ORDERS:
        raise InputError(f"sort {sort!r}: no such order; {_known(sort, _ORDERS)}")
    return sorted(rows, key=_ORDERS[sort], reverse=True)


def _known(value: str | None, known: Mapping[str, object]) -> str:
    return choices(value, known, most=len(known))
