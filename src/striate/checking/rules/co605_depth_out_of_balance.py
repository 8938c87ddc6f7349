"""CO605 depth-out-of-balance

## What it finds

A network that is more than three times as deep, in weight layers, as its last stage is wide.

## Why it is bad

Depth and width both buy accuracy, and depth is the dearer beyond a point: layers wait for one
another, while channels are computed side by side, and each layer keeps its maps for backward.
Measured on CIFAR-10: a residual network of 1001 layers and 10.2 M parameters has 4.92 % error; a
wide one of 40 layers and 8.9 M has 4.53 %, and trains eight times as fast. One of 1202 layers,
64 channels wide at its end, has 7.93 %, more than the same with 110.

## Bad

```toml
name = "small"
image = [3, 32, 32]
classes = 10

[stem]
width = 8

[[stages]]
block = "basic"
depth = 18
width = 8

[[stages]]
block = "basic"
depth = 18
width = 16
stride = 2

[[stages]]
block = "basic"
depth = 18
width = 32
stride = 2
```

Fires at `stem.conv`.

## Good

```toml
name = "small"
image = [3, 32, 32]
classes = 10

[stem]
width = 16

[[stages]]
block = "basic"
depth = 5
width = 16

[[stages]]
block = "basic"
depth = 5
width = 32
stride = 2

[[stages]]
block = "basic"
depth = 5
width = 64
stride = 2
```

## How it is measured

Depth: weight layers on the longest path from the image. Width: the most channels that any map has,
or features that any dense layer gives except the last. Found from a hundred layers on, where the
depth is more than three times the width.

## Limits

The bound is where two measured networks lie that lost to wider ones, not an optimum; what is best
for a budget, scaling finds (`striate scale`). Networks of fewer layers are silent, however narrow.

## References

Zagoruyko and Komodakis, "Wide residual networks" (arXiv 1605.07146), table 5 and section 3. He et
al. (arXiv 1512.03385), table 6, on 1202 layers.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import Graph, channels, is_weighted
from striate.checking.rule import Spot
from striate.records import Severity, Trace

CODE = "CO605"
NAME = "depth-out-of-balance"
SEVERITY: Severity = "info"
SILENT_IF = ("RE402",)  # which says worse of the same layers

DEEP = 100
TIMES = 3


def find(trace: Trace) -> Iterator[Spot]:
    """The first layer of a network that is all depth."""
    graph = Graph(trace)
    layers = [layer for layer in trace if is_weighted(layer) and graph.sees_image(layer)]
    if len(layers) < DEEP:
        return
    depths: dict[int, int] = {}
    for layer in trace:
        before = max((depths[source.index] for source in graph.sources(layer)), default=0)
        depths[layer.index] = before + (is_weighted(layer) and graph.sees_image(layer))
    depth = max(depths.values())
    width = max(channels(layer)[1] for layer in layers[:-1])
    if depth < DEEP or depth <= TIMES * width:
        return
    yield Spot(
        at=layers[0],
        message=(
            f"{depth} weight layers follow one another, and none is wider than {width} channels: "
            "networks of this shape were beaten by wider ones of a tenth of the depth."
        ),
        measured={"depth": depth, "width": width},
        fix="use a third of the layers in each stage, and twice the width.",
    )
