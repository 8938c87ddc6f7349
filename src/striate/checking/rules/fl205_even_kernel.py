"""FL205 even-kernel

## What it finds

Convolutions with an even kernel and stride 1 that are padded to keep the size of their map.

## Why it is bad

An even kernel has no middle pixel. To keep the size, one edge must be padded more than the other,
and the whole result lies half a position off; or both are padded alike, and the map grows by one.
The next such layer shifts in the same direction: the drift adds up, features lie beside what they
describe, and one corner of the image is seen less than the others. Wu et al. measured that plain
even kernels lose accuracy by this, and win it back when the shift is spread over four directions.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(3, 16, 4), nn.ReLU(),
    nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(16, 32, 4), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

Fires at `1`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

## How it is measured

For each convolution with stride 1 whose window is an even number of pixels long: the padding at
its near and far edge, with that of pad operations before it. If they differ, the map's centre moves
by half of the difference; that is summed along the way from the image, in pixels of the image, and
the largest sum is reported. If they are alike and the map grows by one, that is said instead. One
finding is made for the network, at the first such layer.

## Limits

Even kernels without padding, or with so little that the map shrinks (the discriminators of
pix2pix), stay centred and are left alone; so are even kernels with a stride, which divide the map
evenly.

## References

Wu, Wang, Li, Deng, Zhang, Zhao and Shi, "Convolution with even-sized kernels and symmetric padding"
(arXiv 1903.08385).
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import Graph, is_spatial_conv, map_size
from striate.checking.rule import Spot
from striate.checking.windows import Window, module_is, window_of
from striate.checking.words import many, sides
from striate.records import Edit, Layer, Severity, Trace

CODE = "FL205"
NAME = "even-kernel"
SEVERITY: Severity = "info"
SILENT_IF = ("SH100",)


def find(trace: Trace) -> Iterator[Spot]:
    """The first even kernel that keeps its map, with the drift of all."""
    graph = Graph(trace)
    found = [window for layer in trace if (window := _even(graph, layer)) is not None]
    if not found:
        return
    first, drift = found[0], _drift(graph, found)
    others = "" if len(found) == 1 else f"; {many(len(found), 'such layer')} drift by"
    if drift:
        effect = f"its result lies half a position off{others or ','} {drift:g} px of the image"
    else:
        effect = f"its map grows to {sides(map_size(first.layer))} and lies between the pixels"
    yield Spot(
        at=first.layer,
        message=(
            f"a {sides(first.kernel)} kernel with stride 1 has no middle: {effect}"
            f"{' in all' if others and drift else ''}."
        ),
        measured={
            "kernel": list(first.kernel),
            "drift_px": drift,
            "layers": [window.layer.path for window in found],
        },
        fix="use an odd kernel (3×3 with padding 1), which keeps size and place.",
        edits=tuple(edit for window in found for edit in _edits(graph, window)),
    )


def _even(graph: Graph, layer: Layer) -> Window | None:
    """The window of a convolution with stride 1 that is even and padded to keep its map."""
    window = window_of(graph, layer) if is_spatial_conv(layer) else None
    if window is None:
        return None
    for axis in (0, 1):
        padded = window.before[axis] + window.after[axis]
        even = window.stride[axis] == 1 and window.reach[axis] % 2 == 0
        if even and padded in (window.reach[axis] - 1, window.reach[axis]):
            return window
    return None


def _drift(graph: Graph, windows: list[Window]) -> float:
    """The furthest that these windows move a map's centre together, in pixels of the image."""
    own = {window.layer.index: _shift(window) for window in windows}
    moved: dict[int, float] = {}
    for layer in graph.trace:
        before = max((moved[source.index] for source in graph.sources(layer)), key=abs, default=0.0)
        moved[layer.index] = before + own.get(layer.index, 0.0)
    return max(map(abs, moved.values()), default=0.0)


def _shift(window: Window) -> float:
    """How far one window moves the centre of its map, along the axis on which it is most."""
    field = window.source.field
    spaced = field.stride if field is not None else (1, 1)
    shifts = [
        (after - before) / 2 * step
        for before, after, step in zip(window.before, window.after, spaced, strict=True)
    ]
    return max(shifts, key=abs)


def _edits(graph: Graph, window: Window) -> tuple[Edit, ...]:
    """The next smaller odd kernel (3 for 2), with the padding that keeps the map."""
    layer = window.layer
    if not module_is(layer, "Conv2d") or window.dilation != (1, 1):
        return ()
    before = _pads(graph, window)
    if any(one.module not in ("ZeroPad2d", "ConstantPad2d") for one in before):
        return ()
    odd = [k if k % 2 else max(3, k - 1) for k in window.kernel]
    pads = [(k - 1) // 2 for k in odd]
    return (
        Edit(path=layer.path, argument="kernel_size", value=_written(odd)),
        Edit(path=layer.path, argument="padding", value=_written(pads)),
        *(Edit(path=one.path, argument=None) for one in before),
    )


def _pads(graph: Graph, window: Window) -> list[Layer]:
    """The pad operations between a window and the map it reads."""
    found: list[Layer] = []
    here = graph.source(window.layer)
    while here is not None and here.index != window.source.index:
        if here.op == "pad":
            found.append(here)
        here = graph.source(here)
    return found


def _written(value: list[int]) -> int | tuple[int, ...]:
    return value[0] if len(set(value)) == 1 else tuple(value)
