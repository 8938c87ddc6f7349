"""A trace as the page's script reads it: short keys, each string and each field once.

Comes in: a Trace.  Goes out: plain lists and dictionaries, of the shape that ``assets/trace-*.js``
says at its top.
"""

from __future__ import annotations

from typing import Any, cast

from striate.records import Field, Layer, Trace
from striate.records.layout import sides
from striate.records.portion import class_of
from striate.records.trace_columns import operation
from striate.records.trace_rows import is_shown
from striate.records.trace_text import stopped
from striate.records.trace_tree import Node, Part, Run, runs, signed, tree

Data = dict[str, Any]
_MOST_SPANS = 256
"""Elements along an axis whose uneven fields are kept one by one."""


class Table:
    """Values by their number, each kept once."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}

    def number(self, value: Any) -> int:
        """The number of a value, new or known."""
        return self._numbers.setdefault(value, len(self._numbers))

    @property
    def values(self) -> list[Any]:
        """All values in the order of their numbers."""
        return list(self._numbers)


def trace_data(trace: Trace) -> Data:
    """Everything that the page shows of a trace."""
    strings, fields = Table(), Table()
    totals = trace.totals
    layers = [
        _layer(layer, found, strings, fields)
        for layer, found in zip(trace.layers, sides(trace.layers), strict=True)
    ]
    return {
        "name": trace.name,
        "image": list(trace.image),
        "totals": {
            "params": totals.params,
            "macs": totals.macs,
            "activations": totals.activations,
        },
        "layers": layers,
        "tree": _parts(tree(trace.layers), trace, strings),
        "strings": strings.values,
        "fields": fields.values,
        "stopped": None if trace.failure is None else stopped(trace.failure),
    }


def _layer(layer: Layer, found: tuple[int, int] | None, strings: Table, fields: Table) -> list[Any]:
    attrs = ", ".join(f"{name} {_said(value)}" for name, value in layer.attrs.items())
    return [
        strings.number(layer.path),
        strings.number(operation(layer)),
        list(layer.shape),
        list(layer.inputs),
        layer.params,
        layer.macs,
        layer.activations,
        layer.out_bytes,
        layer.saved_bytes,
        -1 if layer.field is None else fields.number(_field(layer.field)),
        strings.number(layer.source or ""),
        strings.number(layer.defined or ""),
        strings.number(layer.module),
        strings.number(attrs),
        strings.number(layer.dtype),
        (1 if layer.gate else 0) | (2 if is_shown(layer) else 0),
        0 if found is None else list(found),
    ]


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        return "×".join(map(str, cast("tuple[object, ...]", value)))
    return "yes" if value is True else "no" if value is False else str(value)


def _field(field: Field) -> tuple[Any, ...]:
    uneven = field.spans or (None, None)
    kept = [
        tuple(field.span(axis, index) for index in range(len(spans)))
        if spans is not None and len(spans) <= _MOST_SPANS
        else None
        for axis, spans in enumerate(uneven)
    ]
    return (
        field.status, field.size, field.least, field.stride, field.start, int(field.gated), *kept
    )  # fmt: skip


def _parts(node: Node, trace: Trace, strings: Table) -> list[Any]:
    """What a module did, in order: a number is a layer, an object a module or a run of modules."""
    signs = [signed(part, _sign) for part in node.parts]
    written: list[Any] = []
    for run in runs(signs):
        parts = node.parts[run.start : run.start + run.period * run.times]
        children = [_part(part, trace, strings) for part in parts]
        if run.times > 1 and _is_worth_folding(parts, run):
            written.append({"x": run.times, "e": run.period, "k": children})
        else:
            written += children
    return written


def _part(part: Part, trace: Trace, strings: Table) -> Any:
    if isinstance(part, Layer):
        return part.index
    known = trace.modules.get(part.path) or class_of(part.path, tuple(part))
    return {
        "n": part.name,
        "p": strings.number(part.path),
        "c": strings.number(known),
        "k": _parts(part, trace, strings),
    }


def _is_worth_folding(parts: tuple[Part, ...], run: Run) -> bool:
    """Whether the pattern holds modules of more than one operation."""
    return any(isinstance(part, Node) and len(list(part)) > 1 for part in parts[: run.period])


def _sign(layer: Layer) -> Any:
    attrs = tuple((key, str(value)) for key, value in sorted(layer.attrs.items()))
    return layer.op, layer.shape, layer.params, layer.macs, layer.gate, attrs
