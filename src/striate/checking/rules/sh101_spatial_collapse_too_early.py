"""SH101 spatial-collapse-too-early

## What it finds

A convolution on a map so small (1×1, as a rule) that some of its taps fall on padding wherever
the kernel stands. Those taps are multiplied with zero for every image there is.

## Why it is bad

On a 1×1 map a 3×3 kernel is a 1×1 kernel: the other eight ninths of its weights never reach the
output, get no gradient, and stay as they were initialised. They are counted, stored and
multiplied all the same. The cause lies further up: too many strides or pools for this size of
image, typically a design for 224 px used on 32 px.

## Bad

Five halvings of 32 px leave one pixel, and a stage follows.

```toml
name = "for larger images"
image = [3, 32, 32]
classes = 10

[stem]
width = 16
stride = 2

[[stages]]
block = "basic"
depth = 1
width = 16
stride = 2

[[stages]]
block = "basic"
depth = 1
width = 32
stride = 2

[[stages]]
block = "basic"
depth = 1
width = 64
stride = 2

[[stages]]
block = "basic"
depth = 2
width = 128
stride = 2
```

Fires at `stages.3.blocks.0.conv1`.

## Good

The same blocks, with the first two strides taken away: the last stage works on 4×4.

```toml
name = "for these images"
image = [3, 32, 32]
classes = 10

[stem]
width = 16

[[stages]]
block = "basic"
depth = 1
width = 16

[[stages]]
block = "basic"
depth = 1
width = 32
stride = 2

[[stages]]
block = "basic"
depth = 1
width = 64
stride = 2

[[stages]]
block = "basic"
depth = 2
width = 128
stride = 2
```

## How it is measured

For each axis of a convolution whose map is smaller than its kernel: output *i* puts tap *j* on
element *i·stride − padding + j·dilation*; a tap is dead when no *i* puts it on the map. The dead
share of the kernel is the share of its weights that cannot matter, exactly. One finding is made
for the network, at the first such layer; it counts all of them, and its price is their dead
weights and the multiply-accumulates that are spent on them.

## Limits

Kernels that exceed the map through dilation alone are another matter and not reported. A map that
was padded by a separate operation counts as large as it then is. Pools have no weights to lose.

## References

The chapter's healthy progression for 224 px is 224, 112, 56, 28, 14, 7, then global pooling.
Richter, Byttner, Krumnack, Wiedenroth, Schallner and Shenk, "(Input) size matters for CNN
classifiers" (ICANN 2021).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from striate.checking.graph import Graph, is_map, is_spatial_conv, kernel, map_size, pair
from striate.checking.rule import Spot
from striate.checking.taps import live_taps
from striate.checking.words import count, many, percent, place, sides
from striate.records import Layer, Price, Severity, Trace

CODE = "SH101"
NAME = "spatial-collapse-too-early"
SEVERITY: Severity = "warning"


def find(trace: Trace) -> Iterator[Spot]:
    """The first convolution with dead taps, with the sum over all of them."""
    graph = Graph(trace)
    starved = [(layer, share) for layer in trace if (share := _dead_share(graph, layer)) > 0]
    if not starved:
        return
    first, share = starved[0]
    map_read = graph.sources(first)[0]
    cause = _where_it_shrank(graph, map_read)
    weights = sum(round(share * _weights(layer)) for layer, share in starved)
    macs = sum(round(share * (layer.macs or 0)) for layer, share in starved)
    taps = prod(kernel(first))
    yield Spot(
        at=first,
        message=(
            f"the map is down to {sides(map_size(map_read))} here, so {round(share * taps)} of the "
            f"{taps} taps of the {sides(kernel(first))} kernel fall on padding everywhere; in "
            f"{many(len(starved), 'such convolution')} {count(weights)} weights "
            f"({percent(weights / max(1, trace.totals.params))} of the network) can never matter."
        ),
        measured={
            "map": list(map_size(map_read)),
            "dead_share": share,
            "dead_weights": weights,
            "shrunk_at": cause.path,
            "layers": [layer.path for layer, _ in starved],
        },
        price=Price(params=weights, macs=macs),
        fix=(
            f"keep the map larger: take a stride or pool away at or before {place(cause.path)}, "
            "or use larger images, or end the network before this layer."
        ),
    )


def _dead_share(graph: Graph, layer: Layer) -> float:
    """The share of its taps that fall on padding at every position."""
    source = graph.source(layer)
    if not is_spatial_conv(layer) or source is None or not is_map(source):
        return 0.0
    alive = 1.0
    for axis, length in enumerate(map_size(source)):
        taps = kernel(layer)[axis]
        if length < taps:
            live = live_taps(
                length,
                kernel=taps,
                stride=pair(layer, "stride", 1)[axis],
                padding=pair(layer, "padding", 0)[axis],
                dilation=pair(layer, "dilation", 1)[axis],
            )
            alive *= live / taps
    return 1.0 - alive


def _weights(layer: Layer) -> int:
    bias = layer.shape[1] if layer.attrs.get("bias") else 0
    return max(0, layer.params - bias)


def _where_it_shrank(graph: Graph, layer: Layer) -> Layer:
    """The operation that first made a map of this size, along the first inputs."""
    size = map_size(layer)
    while (source := graph.source(layer)) is not None and is_map(source):
        if map_size(source) != size:
            return layer
        layer = source
    return layer
