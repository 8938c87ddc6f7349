"""The ``trace`` document, as every command with ``--json`` writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from striate.records.layer import Layer

if TYPE_CHECKING:  # trace.py calls this file, so this file knows its name for types only
    from striate.records.trace import Trace


def trace_json(trace: Trace) -> dict[str, Any]:
    """The ``trace`` document: its keys do not change without a version bump."""
    document: dict[str, Any] = {
        "striate": 1,
        "target": trace.name,
        "image": list(trace.image),
        "totals": {
            "params": trace.totals.params,
            "macs": trace.totals.macs,
            "activations": trace.totals.activations,
            "infer_bytes": trace.totals.infer_bytes,
            "train_bytes": trace.totals.train_bytes,
            "backward_macs": trace.totals.backward_macs,
            "read_bytes": trace.totals.read_bytes,
            "written_bytes": trace.totals.written_bytes,
            "saved_bytes": trace.totals.saved_bytes,
            "gradient_bytes": trace.totals.gradient_bytes,
            "optimiser_bytes": trace.totals.optimiser_bytes,
            "step_bytes": trace.totals.step_bytes,
        },
        "layers": [_layer_json(layer) for layer in trace.layers],
        "optimiser": trace.optimiser,
        "complete": trace.complete,
        "unknown": list(trace.unknown),
        "unused": list(trace.unused),
        "frozen": list(trace.frozen),
    }
    if trace.failure is not None:
        failure = trace.failure
        document["failure"] = {
            "path": failure.path,
            "op": failure.op,
            "shapes": [list(shape) for shape in failure.shapes],
            "message": failure.message,
            "source": failure.source,
            "hint": failure.hint,
        }
    return document


def _layer_json(layer: Layer) -> dict[str, Any]:
    seen = layer.field
    return {
        "index": layer.index,
        "path": layer.path,
        "op": layer.op,
        "module": layer.module,
        "inputs": list(layer.inputs),
        "shape": list(layer.shape),
        "params": layer.params,
        "macs": layer.macs,
        "activations": layer.activations,
        "backward_macs": layer.backward_macs,
        "out_bytes": layer.out_bytes,
        "read_bytes": layer.read_bytes,
        "written_bytes": layer.written_bytes,
        "saved_bytes": layer.saved_bytes,
        "source": layer.source,
        "defined": layer.defined,
        "gate": layer.gate,
        "shares": list(layer.shares),
        "field": None
        if seen is None
        else {
            "status": seen.status,
            "size": list(seen.size),
            "least": list(seen.least),
            "stride": list(seen.stride),
            "start": list(seen.start),
        },
    }
