"""SH103 border-dropped

## What it finds

A stride that does not fit its map: the last window stops short of the far edge, and the rows and
columns behind it are never looked at by anyone.

## Why it is bad

What lies at the right and lower edge was computed for nothing, and can only be seen by what else
looks at its neighbours. On a small map that is much: a 2×2 pool on a 7×7 map leaves out 13 of 49
positions. As a rule the image has another size than the network was drawn for, or a padding was
forgotten.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 30, 30)
```

Fires at `5`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 30, 30)
```

## How it is measured

Output *i* of a window reads elements *i·stride − padding + j·dilation* for each tap *j*, for as
many outputs as there are. What all readers of a map read is put together, behind activations,
norms and padding; the rows and columns at the far edge that are left over are counted. Maps whose
windows step over pixels everywhere are FL203's question. Below 1 % of the map it is not worth a
word. The price is the share of multiply-accumulates of the convolution that made the map which
went into them.

## Limits

A slice without a step (a crop) is taken for meant. The pixels under a dropped edge are mostly seen
by the windows beside it too: what is lost is the work done there and the view centred there.

## References

Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (arXiv 1603.07285),
section 2.4, on strides that do not divide.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from striate.checking.graph import Graph, is_map, kernel, map_size, pair
from striate.checking.reading import Reading, Seen
from striate.checking.rule import Spot
from striate.checking.windows import MAKERS, has_window, module_is, padding_after
from striate.checking.words import many, percent, sides
from striate.records import Edit, Layer, Price, Severity, Trace

CODE = "SH103"
NAME = "border-dropped"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")  # who else reads an output is not known then

WORTH_A_WORD = 0.01

Line = NDArray[np.bool_]


def find(trace: Trace) -> Iterator[Spot]:
    """Maps whose last rows or columns nobody reads, each at the first window that stops short."""
    graph = Graph(trace)
    finite, endless = Reading(graph, endless=False), Reading(graph, endless=True)
    for layer in trace:
        if layer.op not in MAKERS or not is_map(layer) or not graph.sees_image(layer):
            continue
        if not endless.of(layer).all():
            continue  # the windows step over pixels all over the map: FL203
        dropped = _dropped(finite.of(layer))
        height, width = map_size(layer)
        share = 1 - (height - dropped[0]) * (width - dropped[1]) / (height * width)
        if share < WORTH_A_WORD:
            continue
        first = _first_window(graph, layer)
        if first is None:
            continue
        lost = " and ".join(
            f"the last {noun}" if number == 1 else f"the last {many(number, noun)}"
            for number, noun in zip(dropped, ("row", "column"), strict=True)
            if number
        )
        yield Spot(
            at=first,
            message=(
                f"the windows of this {sides(kernel(first))} kernel with stride "
                f"{_side(pair(first, 'stride', 1))} stop short on a {sides((height, width))} map: "
                f"{lost} ({percent(share)} of it) {'are' if sum(dropped) > 1 else 'is'} never "
                "looked at."
            ),
            measured={
                "map": [height, width],
                "dropped": list(dropped),
                "share": share,
                "kernel": list(kernel(first)),
                "stride": list(pair(first, "stride", 1)),
            },
            price=Price(macs=round(share * (layer.macs or 0))),
            fix=_mend(graph, first),
            edits=_edits(graph, first),
        )


def _dropped(seen: Seen) -> tuple[int, int]:
    """Rows and columns at the far edge that nobody reads."""
    found: list[int] = []
    for axis in (1, 0):
        read: Line = np.logical_or.reduce(seen, axis=axis)
        last = int(np.flatnonzero(read)[-1]) + 1 if read.any() else 0
        found.append(len(read) - last)
    return found[0], found[1]


def _first_window(graph: Graph, layer: Layer) -> Layer | None:
    """The first window over the map, looked for behind what leaves pixels in their place."""
    waiting, found = [layer], list[Layer]()
    while waiting:
        for user in graph.users(waiting.pop()):
            if has_window(user):
                found.append(user)
            elif is_map(user) and len(graph.sources(user)) == 1:
                waiting.append(user)
    return min(found, key=lambda one: one.index, default=None)


def _enough(graph: Graph, layer: Layer) -> tuple[int, int] | None:
    """The padding at which its windows reach the far edge, if one up to half a kernel does."""
    source = graph.source(layer)
    if source is None or padding_after(layer) != pair(layer, "padding", 0):
        return None
    found: list[int] = []
    for axis, length in enumerate(map_size(source)):
        stride, dilation = pair(layer, "stride", 1)[axis], pair(layer, "dilation", 1)[axis]
        span = dilation * (kernel(layer)[axis] - 1) + 1
        own = pair(layer, "padding", 0)[axis]
        fitting = [
            p
            for p in range(own, span // 2 + 1)
            if (length + 2 * p - span) // stride * stride + span - p >= length
        ]
        if not fitting:
            return None
        found.append(fitting[0])
    return found[0], found[1]


def _mend(graph: Graph, layer: Layer) -> str:
    padding = _enough(graph, layer)
    image = graph.trace.image[1:]
    sized = f"or choose an image size that its strides divide (this is {sides(image)})."
    if layer.op == "conv2d":
        also = f"pass padding={_side(padding, ', ')}, " if padding is not None else ""
        return f"{also}{sized}" if also else sized.removeprefix("or ")
    return f"pass ceil_mode=True, {sized}"


def _edits(graph: Graph, layer: Layer) -> tuple[Edit, ...]:
    if layer.op == "conv2d" and module_is(layer, "Conv2d"):
        padding = _enough(graph, layer)
        if padding is not None:
            value = padding[0] if padding[0] == padding[1] else padding
            return (Edit(path=layer.path, argument="padding", value=value),)
    if module_is(layer, "MaxPool2d", "AvgPool2d"):
        return (Edit(path=layer.path, argument="ceil_mode", value=True),)
    return ()


def _side(pair_of: tuple[int, int], by: str = "×") -> str:
    first, second = pair_of
    return str(first) if first == second else f"{first}{by}{second}"
