"""What a module does to an image, layer by layer, without having done it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as default
from typing import Any

from striate.records.layer import Failure, Field, Layer, Status
from striate.records.trace_json import trace_json

__all__ = ["Failure", "Field", "Layer", "Status", "Totals", "Trace"]


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Sums over a trace.  Bytes are for the traced batch and dtype.

    ``params``: every parameter of the module once, by identity, used or not.
    ``infer_bytes``: parameters and buffers plus the peak of live activations in inference.
    ``train_bytes``: parameters, buffers, gradients, and what is saved for backward (no optimiser).
    """

    params: int
    macs: int
    activations: int
    infer_bytes: int
    train_bytes: int


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A module's forward, traced on shapes alone.

    ``image``: (C, H, W).  ``complete`` is False when the forward failed: ``layers`` ends before
    the failing operation, described by ``failure``.  ``unknown`` lists operations whose cost or
    field is not understood; they are never counted as zero in silence.
    ``unused``: parameters the forward never touched, by name.
    ``modules``: the class of every module, by path, where the tracer noted it.
    """

    name: str
    image: tuple[int, int, int]
    layers: tuple[Layer, ...]
    totals: Totals
    complete: bool = True
    unknown: tuple[str, ...] = ()
    failure: Failure | None = None
    unused: tuple[str, ...] = ()
    modules: Mapping[str, str] = default(default_factory=dict[str, str])

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def consumers(self) -> dict[int, tuple[int, ...]]:
        """For each layer's index, the indices of the layers that take its output."""
        found: dict[int, list[int]] = {layer.index: [] for layer in self.layers}
        for layer in self.layers:
            for source in layer.inputs:
                found[source].append(layer.index)
        return {index: tuple(users) for index, users in found.items()}

    def last(self, op: str) -> Layer:
        """The last layer with this ``op``; KeyError if there is none."""
        for layer in reversed(self.layers):
            if layer.op == op:
                return layer
        raise KeyError(op)

    def as_json(self) -> dict[str, Any]:
        """The ``trace`` document: its keys do not change without a version bump."""
        return trace_json(self)
