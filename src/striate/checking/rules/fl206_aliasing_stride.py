"""FL206 aliasing-stride

## What it finds

Strided convolutions and max pools that drop positions without a low-pass filter before it.

## Why it is bad

Keeping every second position of a signal that varies faster than that folds the fast part into the
slow one: shift the image by a pixel and the features change, sometimes the class. A small fixed
blur in front of each stride makes the network steadier under shifts and a little better: by 0.7 to
0.9 points of top-1 for ResNet-50 on ImageNet.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

Fires at `2`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

## How it is measured

Convolutions with weights of their own and max pools with a stride above 1 on maps computed by the
network. The first layer on the image itself is left out: it may learn its own filter. Average
pools, and depthwise convolutions with fixed weights (a blur), are low-pass filters. One finding is
made for the network, at the first such layer.

## Limits

Nearly every network in use strides this way; the rule is opt-in for that reason.

## References

Zhang, "Making convolutional networks shift-invariant again" (arXiv 1904.11486), tables 1 and 2.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import Graph, is_map, kernel, pair
from striate.checking.rule import Spot
from striate.checking.words import many, sides
from striate.records import Layer, Severity, Trace

CODE = "FL206"
NAME = "aliasing-stride"
SEVERITY: Severity = "info"
OPT_IN = True


def find(trace: Trace) -> Iterator[Spot]:
    """The first stride without a low-pass filter, with the number of all."""
    graph = Graph(trace)
    found = [layer for layer in trace if _aliases(graph, layer)]
    if not found:
        return
    first = found[0]
    noun = "max pool" if first.op == "max_pool2d" else "convolution"
    yield Spot(
        at=first,
        message=(
            f"this {sides(kernel(first))} {noun} with stride {max(pair(first, 'stride', 1))} keeps "
            "some positions of a map that nothing has blurred"
            + (f" ({many(len(found), 'such layer')} in the network)" if len(found) > 1 else "")
            + ": what varies faster is folded into what is kept."
        ),
        measured={"layers": [layer.path for layer in found]},
        fix=(
            "do it with stride 1 and let a fixed blur with the stride follow, or pool by averages."
        ),
    )


def _aliases(graph: Graph, layer: Layer) -> bool:
    source = graph.source(layer)
    if source is None or not is_map(layer) or not is_map(source) or source.op == "input":
        return False
    if max(pair(layer, "stride", 1)) < 2:
        return False
    return layer.op == "max_pool2d" or (layer.op == "conv2d" and bool(layer.params or layer.shares))
