"""What a module does to an image, layer by layer, without having done it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as default
from typing import Any, Literal

Status = Literal["exact", "bound", "whole", "data-dependent", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Field:
    """The receptive field of one element of an output, in pixels, per image axis (height, width).

    ``size`` follows the widest path from the image, ``least`` the narrowest (they differ where
    branches join).  ``start`` is the first pixel (may be negative: padding) that the element at
    index 0 looks at; element i begins at ``start + i·stride``.

    ``status``: ``exact`` (both ends of the hull are right at every interior element), ``bound``
    (contains the truth, may be wider), ``whole`` (sees the whole image by construction: global
    pooling, attention, flattening), ``data-dependent`` (positions depend on values), ``unknown``.
    ``gated``: what a squeeze gate, or a norm's statistics over space, saw was left out.
    ``spans``: where neighbours are not evenly apart along an axis (after upsampling, uneven
    pools, windows), the first and last pixel of every element; ``stride`` is then their mean and
    ``size`` the largest.  None where ``start`` and ``stride`` say it all.
    """

    status: Status
    size: tuple[int, int]
    least: tuple[int, int]
    stride: tuple[int, int]
    start: tuple[int, int]
    gated: bool = False
    spans: tuple[tuple[tuple[int, int], ...] | None, tuple[tuple[int, int], ...] | None] | None = (
        None
    )

    def span(self, axis: int, index: int) -> tuple[int, int]:
        """First and last pixel that the element at ``index`` along ``axis`` (0: height) sees."""
        if self.spans is not None and (uneven := self.spans[axis]) is not None:
            return uneven[index]
        first = self.start[axis] + index * self.stride[axis]
        return first, first + self.size[axis] - 1


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One operation as it was called.

    ``path``: the module it ran in (``stages.0.1.conv2``; empty for the top module).
    ``op``: the operation's name (``conv2d``, ``linear``, ``add``; ``input`` for the image itself).
    ``inputs``: indices of the layers whose outputs it took.
    ``shape``: its first output, batch included, (N, C, H, W) for a feature map.
    ``params``: elements of parameters that this operation is the first to use (by identity).
    ``macs``: multiply-accumulates, forward.  ``None`` for an operation that is not understood.
    ``activations``: elements of its output if it is a conv, linear or attention product, else 0.
    ``out_bytes``: new bytes it wrote (0 for a view).  ``saved_bytes``: new bytes kept for backward.
    ``source``: ``file:line`` of the call.  ``defined``: ``file:line`` that made the module.
    ``field``: None where the output has no spatial axes.
    ``gate``: it is part of a squeeze gate (squeeze-excite), from the pool to what is multiplied;
    the map it gates says so by ``field.gated``.
    ``module``: class name of the module at ``path``.
    ``attrs``: what the operation was called with (``kernel``, ``stride``, ``padding``,
    ``dilation`` as (h, w) pairs; ``groups``, ``bias``, ``in_channels``, ``out_channels`` …).
    """

    index: int
    path: str
    op: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    params: int = 0
    macs: int | None = 0
    activations: int = 0
    out_bytes: int = 0
    saved_bytes: int = 0
    source: str | None = None
    defined: str | None = None
    field: Field | None = None
    gate: bool = False
    module: str = ""
    dtype: str = "float32"
    attrs: Mapping[str, Any] = default(default_factory=dict[str, Any])


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Where a forward stopped: the failing operation, the shapes that met there, and why.

    ``hint`` is the mend where arithmetic can tell it ("padding=1 would make these match").
    """

    path: str
    op: str
    shapes: tuple[tuple[int, ...], ...]
    message: str
    source: str | None = None
    hint: str | None = None
    inputs: tuple[int, ...] = ()


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
    """

    name: str
    image: tuple[int, int, int]
    layers: tuple[Layer, ...]
    totals: Totals
    complete: bool = True
    unknown: tuple[str, ...] = ()
    failure: Failure | None = None
    unused: tuple[str, ...] = ()

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
        document: dict[str, Any] = {
            "striate": 1,
            "target": self.name,
            "image": list(self.image),
            "totals": {
                "params": self.totals.params,
                "macs": self.totals.macs,
                "activations": self.totals.activations,
                "infer_bytes": self.totals.infer_bytes,
                "train_bytes": self.totals.train_bytes,
            },
            "layers": [_layer_json(layer) for layer in self.layers],
            "complete": self.complete,
            "unknown": list(self.unknown),
            "unused": list(self.unused),
        }
        if self.failure is not None:
            failure = self.failure
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
        "out_bytes": layer.out_bytes,
        "saved_bytes": layer.saved_bytes,
        "source": layer.source,
        "defined": layer.defined,
        "gate": layer.gate,
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
