"""SH109 padded-pointwise

## What it finds

Padding on an axis along which the kernel is one pixel long.

## Why it is bad

A kernel needs padding to reach over the edge; one that is a single pixel does not reach. All that
the padding does is to frame the map with positions that saw no image at all: they hold the bias
and nothing else, grow the map, cost multiply-accumulates in every layer behind, and shift batch
norm's statistics. As a rule the padding was left standing when a 3×3 became a 1×1.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.Conv2d(16, 32, 1, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

Fires at `2`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.Conv2d(16, 32, 1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

## How it is measured

A convolution with a kernel of 1 and a padding above 0 on the same axis. The empty positions are
those whose windows lie on padding alone; their share of the map is that of its
multiply-accumulates, which is the price.

## Limits

Padding that an operation of its own added before the convolution is not looked at: it may be meant
for another reader.

## References

Iandola et al., "SqueezeNet" (arXiv 1602.07360), whose first published definition did this.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import Graph, is_map, kernel, map_size, pair
from striate.checking.rule import Spot
from striate.checking.windows import module_is, padding_after
from striate.checking.words import percent, sides
from striate.records import Edit, Layer, Price, Severity, Trace

CODE = "SH109"
NAME = "padded-pointwise"
SEVERITY: Severity = "warning"


def find(trace: Trace) -> Iterator[Spot]:
    """Convolutions that pad an axis on which their kernel is one pixel long."""
    graph = Graph(trace)
    for layer in trace:
        source = graph.source(layer)
        if layer.op != "conv2d" or not is_map(layer) or source is None or not is_map(source):
            continue
        useless = [
            size == 1 and before + after > 0
            for size, before, after in zip(
                kernel(layer), pair(layer, "padding", 0), padding_after(layer), strict=True
            )
        ]
        if not any(useless):
            continue
        size = map_size(layer)
        filled = [
            _filled(layer, axis, map_size(source)[axis]) if useless[axis] else size[axis]
            for axis in (0, 1)
        ]
        empty = 1 - filled[0] * filled[1] / (size[0] * size[1])
        kept = tuple(
            0 if none else own for none, own in zip(useless, pair(layer, "padding", 0), strict=True)
        )
        written = kept[0] if kept[0] == kept[1] else kept
        yield Spot(
            at=layer,
            message=(
                f"this {sides(kernel(layer))} convolution pads by "
                f"{sides(pair(layer, 'padding', 0))}: {percent(empty)} of its {sides(size)} map "
                "are a frame that saw no image and holds its bias alone."
            ),
            measured={
                "kernel": list(kernel(layer)),
                "padding": list(pair(layer, "padding", 0)),
                "map": list(size),
                "empty": empty,
            },
            price=Price(macs=round(empty * (layer.macs or 0))),
            fix=f"pass padding={written}.",
            edits=(Edit(path=layer.path, argument="padding", value=written),)
            if module_is(layer, "Conv2d")
            else (),
        )


def _filled(layer: Layer, axis: int, length: int) -> int:
    """Positions along an axis whose one tap falls on the map."""
    stride, padding = pair(layer, "stride", 1)[axis], pair(layer, "padding", 0)[axis]
    return sum(0 <= at * stride - padding < length for at in range(map_size(layer)[axis]))
