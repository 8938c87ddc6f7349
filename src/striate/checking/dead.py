"""Weights that can never matter, since their taps never meet the map."""

from __future__ import annotations

from striate.checking.graph import map_size
from striate.checking.taps import live_taps
from striate.checking.windows import Window
from striate.records import Layer


def dead_share(window: Window) -> float:
    """The share of its taps that fall on padding at every position."""
    alive = 1.0
    for axis, length in enumerate(map_size(window.source)):
        live = live_taps(
            length,
            kernel=window.kernel[axis],
            stride=window.stride[axis],
            padding=window.before[axis],
            dilation=window.dilation[axis],
            after=window.after[axis],
        )
        alive *= live / window.kernel[axis]
    return 1.0 - alive


def weights_of(layer: Layer) -> int:
    """The weights of a convolution, without its biases."""
    bias = layer.shape[1] if layer.attrs.get("bias") else 0
    return max(0, layer.params - bias)
