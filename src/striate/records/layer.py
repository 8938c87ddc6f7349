"""One operation of a traced forward, the field of what it puts out, and where a forward stops."""

from __future__ import annotations

from collections.abc import Mapping
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
    (contains the truth, may be wider), ``whole`` (sees all of the map it comes from: global
    pooling, attention, a kernel as large; ``start`` and ``size`` are the pixels that reach that
    map: all of them, but for what strides and crops left out), ``data-dependent`` (positions
    depend on values), ``unknown``.  For a module of several image inputs it is the field in the
    first.
    ``gated``: what a squeeze gate, or a norm's statistics over space, saw was left out.
    ``spans``: where neighbours are not evenly apart along an axis (after upsampling, uneven
    pools, windows), the first and last pixel of every element counted from ``start``; ``stride``
    is then their mean and ``size`` the largest.  None where ``start`` and ``stride`` say it all.
    An element whose last pixel is before its first sees none (a hole of a transposed convolution).
    ``interior``: per axis, the first and last pixel between which an element's interval must lie
    for the element to be interior, its windows having met no padding; mostly the whole image.
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
    interior: tuple[tuple[int, int], tuple[int, int]] | None = None

    def span(self, axis: int, index: int) -> tuple[int, int]:
        """First and last pixel that the element at ``index`` along ``axis`` (0: height) sees."""
        if self.spans is not None and (uneven := self.spans[axis]) is not None:
            first, last = uneven[index]
            return self.start[axis] + first, self.start[axis] + last
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
    ``backward_macs``: those of its gradients in training: for each of its factors that has one.
    ``activations``: elements of its output if it is a conv, linear or attention product, else 0.
    ``out_bytes``: new bytes it wrote (0 for a view).  ``saved_bytes``: new bytes kept for backward.
    ``read_bytes``, ``written_bytes``: what it moves from and to memory, each tensor once; in-place
    operations write too, views move nothing.
    ``source``: ``file:line`` of the call.  ``defined``: ``file:line`` that made the module.
    ``field``: None where the output has no spatial axes.
    ``gate``: it is part of a squeeze gate (squeeze-excite), from the pool to what is multiplied;
    the map it gates says so by ``field.gated``.
    ``shares``: names of the parameters it uses that a layer before it used already (tied weights, a
    module called twice); ``params`` does not count them again.
    ``strays``: elements of parameters it uses that no module holds (those of modules in a Python
    list), which are in no count and which no optimiser is given.
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
    backward_macs: int | None = 0
    activations: int = 0
    out_bytes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    saved_bytes: int = 0
    source: str | None = None
    defined: str | None = None
    field: Field | None = None
    gate: bool = False
    shares: tuple[str, ...] = ()
    strays: int = 0
    module: str = ""
    dtype: str = "float32"
    attrs: Mapping[str, Any] = default(default_factory=dict[str, Any])

    @property
    def intensity(self) -> float | None:
        """Multiply-accumulates for each byte moved; None where they are not understood."""
        return intensity(self.macs, self.read_bytes + self.written_bytes)


def intensity(macs: int | None, moved: int) -> float | None:
    """Multiply-accumulates per byte; 0 where none is moved."""
    if macs is None:
        return None
    return macs / moved if moved else 0.0


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Where a forward stopped: the failing operation, the shapes that met there, and why.

    ``hint`` is the mend where arithmetic can tell it ("padding=1 would make these match").
    ``needs``: the least map (height, width) for a window that is larger than the map it met.
    """

    path: str
    op: str
    shapes: tuple[tuple[int, ...], ...]
    message: str
    source: str | None = None
    hint: str | None = None
    inputs: tuple[int, ...] = ()
    needs: tuple[int, ...] | None = None
