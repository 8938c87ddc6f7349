"""SH104 image-too-small

## What it finds

An image that is too small for the network: at some layer the map has become smaller than the
window that is to slide over it, and the forward pass ends there.

## Why it is bad

The network cannot run. PyTorch says how large the map is there and how large the kernel; what one
wants to know is the smallest image that fits, and that is worked out here.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 5), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
image = (3, 28, 28)
```

Fires at `6`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 5), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
image = (3, 32, 32)
```

## How it is measured

The trace ends at the window and says which map it needs. The operations before it are gone through
once more with growing images, one axis at a time, by the arithmetic of windows (⌊(n + 2·padding −
dilation·(kernel − 1) − 1)/stride⌋ + 1); the first size at which the map is large enough is
reported.

## Limits

Where the map's size no longer depends on the image's (behind an adaptive pool or an upsampling to
a fixed size), no image helps, and the finding says what the window needs and no more. A layer
further on may ask for more still.

## References

Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (arXiv 1603.07285),
relation 6.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import POINTWISE, Graph, is_map, kernel, map_size, pair
from striate.checking.rule import Spot
from striate.checking.windows import has_window, pad_amounts, padding_after
from striate.checking.words import sides
from striate.records import Failure, Layer, Severity, Trace

CODE = "SH104"
NAME = "image-too-small"
SEVERITY: Severity = "error"

LARGEST = 4096  # px; beyond it nobody looks


def find(trace: Trace) -> Iterator[Spot]:
    """The window a partial trace ends with, when it is larger than the map it met."""
    failure = trace.failure
    if failure is None or failure.needs is None or len(failure.inputs) < 1:
        return
    graph = Graph(trace)
    met = graph[failure.inputs[0]]
    if not is_map(met):
        return
    enough = _enough(graph, met, failure)
    noun = "pool" if "pool" in failure.op else "convolution"
    yield Spot(
        at=failure,
        message=(
            f"a {sides(trace.image)} image is too small: this {noun} needs a map of at least "
            f"{sides(failure.needs)}, and meets one of {sides(map_size(met))}."
        ),
        measured={
            "image": list(trace.image),
            "map": list(map_size(met)),
            "needs": list(failure.needs),
            "smallest_image": None if enough is None else [trace.image[0], *enough],
        },
        fix=_mend(trace.image[0], enough),
    )


def _mend(channels: int, enough: tuple[int, int] | None) -> str:
    less = (
        "take an earlier stride or pool away, or give this layer a smaller kernel or more padding"
    )
    if enough is None:
        return f"{less}."
    return f"use images of at least {sides((channels, *enough))}, or {less}."


def _enough(graph: Graph, met: Layer, failure: Failure) -> tuple[int, int] | None:
    """The least image at which the map is large enough; None where no image makes it so."""
    before: list[Layer] = []
    layer = met
    while layer.op != "input":
        before.append(layer)
        source = graph.source(layer)
        if source is None or not is_map(source):
            return None
        layer = source
    found: list[int] = []
    assert failure.needs is not None
    for axis, image in enumerate(graph.trace.image[1:]):
        fits = (
            size
            for size in range(image, LARGEST + 1)
            if (_size(graph, before[::-1], axis, size) or 0) >= failure.needs[axis]
        )
        first = next(fits, None)
        if first is None:
            return None
        found.append(first)
    return found[0], found[1]


def _size(graph: Graph, layers: list[Layer], axis: int, size: int) -> int | None:
    """The map's size behind these layers if the image had ``size`` pixels on this axis."""
    for layer in layers:
        source = graph.source(layer)
        assert source is not None
        if has_window(layer):
            padded = size + pair(layer, "padding", 0)[axis] + padding_after(layer)[axis]
            room = padded - pair(layer, "dilation", 1)[axis] * (kernel(layer)[axis] - 1) - 1
            if room < 0:
                return None
            stride = pair(layer, "stride", 1)[axis]
            size = (-(-room // stride) if layer.attrs.get("ceil_mode") else room // stride) + 1
        elif layer.op == "pad" and (amounts := pad_amounts(layer)) is not None:
            size += amounts[0][axis] + amounts[1][axis]
        elif not _keeps_size(layer, source):
            return None
    return size


def _keeps_size(layer: Layer, source: Layer) -> bool:
    if layer.op in POINTWISE or layer.op in ("add", "sub", "mul", "div", "cat"):
        return map_size(layer) == map_size(source)
    return False
