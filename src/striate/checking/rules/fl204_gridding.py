"""FL204 gridding

## What it finds

Dilated convolutions in a row whose dilations have a common factor.

## Why it is bad

Two 3×3 kernels with dilation 2, one behind the other, read every second row and every second
column, and nothing between: one position in four. However many follow, the other three are never
combined with it. Neighbouring outputs are computed from disjoint inputs, and the result shows a
grid. Dilations without a common factor (1, 2, 3) reach as far and leave no holes; Wang et al.
segment Cityscapes better for nothing but this.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.Conv2d(16, 16, 3, padding=2, dilation=2), nn.ReLU(),
    nn.Conv2d(16, 16, 3, padding=4, dilation=4), nn.ReLU(),
    nn.Conv2d(16, 2, 1),
)
image = (3, 64, 64)
```

Fires at `2`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.Conv2d(16, 16, 3, padding=2, dilation=2), nn.ReLU(),
    nn.Conv2d(16, 16, 3, padding=3, dilation=3), nn.ReLU(),
    nn.Conv2d(16, 2, 1),
)
image = (3, 64, 64)
```

## How it is measured

From each dilated convolution back to the ones before it, through everything that leaves pixels in
their place (norms, activations, 1×1 convolutions, additions), on a map of the same size. The
longest row whose dilations have a common factor above 1 is reported, at its first.

## Limits

Convolutions before the row have looked at the positions it leaves out, and a plain one behind it
combines them: the holes are in what the row itself brings together. Rows along one axis only
(1-d kernels) are taken per axis.

## References

Wang, Chen, Yuan, Liu, Huang, Hou and Cottrell, "Understanding convolution for semantic
segmentation" (arXiv 1702.08502), section 3.2 (hybrid dilated convolution). Yu, Koltun
and Funkhouser, "Dilated residual networks" (arXiv 1705.09914), section 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd

from striate.checking.graph import (
    JOINS,
    POINTWISE,
    Graph,
    is_map,
    is_spatial_conv,
    kernel,
    map_size,
    pair,
)  # fmt: skip
from striate.checking.rule import Spot
from striate.checking.windows import module_is
from striate.checking.words import place, sides
from striate.records import Edit, Layer, Severity, Trace

CODE = "FL204"
NAME = "gridding"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "SH105")

Row = tuple[Layer, ...]


def find(trace: Trace) -> Iterator[Spot]:
    """The longest row of dilations with a common factor, at its first convolution."""
    graph = Graph(trace)
    rows: dict[tuple[int, int], tuple[Row, int]] = {}
    longest: tuple[Row, int] = ((), 0)
    for layer in trace:
        if not is_spatial_conv(layer) or not is_map(layer):
            continue
        for axis in (0, 1):
            if _dilation(layer, axis) < 2:
                continue
            best: tuple[Row, int] = ((layer,), _dilation(layer, axis))
            for before in _before(graph, layer):
                row, factor = rows.get((before.index, axis), ((), 0))
                common = gcd(factor, _dilation(layer, axis))
                if row and common > 1 and len(row) + 1 > len(best[0]):
                    best = ((*row, layer), common)
            rows[layer.index, axis] = best
            if len(best[0]) > len(longest[0]):
                longest = best
    row, factor = longest
    if len(row) < 2:
        return
    first, last = row[0], row[-1]
    dilations = [max(pair(layer, "dilation", 1)) for layer in row]
    yield Spot(
        at=first,
        message=(
            f"{len(row)} convolutions in a row up to {place(last.path)} have dilations "
            f"({', '.join(map(str, dilations))}) with the common factor {factor}: together they "
            f"read one row and column in {factor} of the {sides(map_size(first))} map, and never "
            "what lies between."
        ),
        measured={
            "dilations": dilations,
            "factor": factor,
            "layers": [layer.path for layer in row],
        },
        fix=(
            "choose dilations without a common factor that reach as far "
            f"({', '.join(map(str, _mixed(dilations)))}), each with as much padding."
        ),
        edits=_edits(row, dilations),
    )


def _dilation(layer: Layer, axis: int) -> int:
    """Along an axis; 1 where the kernel is one pixel long."""
    return pair(layer, "dilation", 1)[axis] if kernel(layer)[axis] > 1 else 1


def _before(graph: Graph, layer: Layer) -> list[Layer]:
    """The convolutions beyond 1×1 right before it, on a map of the same size."""
    waiting, found, seen = list(graph.sources(layer)), list[Layer](), set[int]()
    while waiting:
        here = waiting.pop()
        if here.index in seen or not is_map(here):
            continue
        seen.add(here.index)
        if is_spatial_conv(here):
            if map_size(here) == map_size(layer) and pair(here, "stride", 1) == (1, 1):
                found.append(here)
        elif here.op in POINTWISE or here.op in JOINS or here.op in ("mul", "conv2d"):
            waiting.extend(graph.sources(here))
    return found


def _mixed(dilations: list[int]) -> list[int]:
    """One less, the same, one more, over and over: no factor in common, the same reach."""
    return [max(1, rate + (-1, 0, 1)[at % 3]) for at, rate in enumerate(dilations)]


def _edits(row: Row, dilations: list[int]) -> tuple[Edit, ...]:
    edits: list[Edit] = []
    for layer, rate, new in zip(row, dilations, _mixed(dilations), strict=True):
        size = kernel(layer)
        same = tuple(rate * (k - 1) // 2 for k in size)
        square = pair(layer, "dilation", 1) == (rate, rate) and size[0] == size[1] and size[0] % 2
        if not module_is(layer, "Conv2d") or not square or pair(layer, "padding", 0) != same:
            return ()
        if new != rate:
            edits.append(Edit(path=layer.path, argument="dilation", value=new))
            edits.append(Edit(path=layer.path, argument="padding", value=new * (size[0] - 1) // 2))
    return tuple(edits)
