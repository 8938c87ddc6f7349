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

For a convolution whose map is smaller than its kernel on some axis: output *i* puts tap *j* on
element *i·stride − padding + j·dilation*; a tap is dead when no *i* puts it on the map. The dead
share of the kernel is the share of its weights that cannot matter, exactly. One finding is made
for the network, at the first such layer; it counts all of them, and its price is their dead
weights and the multiply-accumulates that are spent on them.

## Limits

Kernels that exceed the map through dilation alone are SH105's question. Padding that an operation
of its own added (with zeros, as `ZeroPad2d` does) is told from the map; what reflects or repeats
the map is not padding in this sense. Pools have no weights to lose.

## References

The chapter's healthy progression for 224 px is 224, 112, 56, 28, 14, 7, then global pooling.
Richter, Byttner, Krumnack, Wiedenroth, Schallner and Shenk, "(Input) size matters for CNN
classifiers" (ICANN 2021).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from striate.checking.dead import dead_share, weights_of
from striate.checking.graph import Graph, is_map, is_spatial_conv, kernel, map_size, pair
from striate.checking.rule import Spot
from striate.checking.windows import Window, module_is, window_of
from striate.checking.words import count, many, percent, place, sides
from striate.records import Edit, Layer, Price, Severity, Trace

CODE = "SH101"
NAME = "spatial-collapse-too-early"
SEVERITY: Severity = "warning"


def find(trace: Trace) -> Iterator[Spot]:
    """The first convolution with dead taps, with the sum over all of them."""
    graph = Graph(trace)
    starved = list(_starved(graph))
    if not starved:
        return
    window, share = starved[0]
    first, map_read = window.layer, window.source
    cause = _where_it_shrank(graph, map_read)
    weights = sum(round(share * weights_of(one.layer)) for one, share in starved)
    macs = sum(round(share * (one.layer.macs or 0)) for one, share in starved)
    taps = prod(kernel(first))
    points = all(map_size(one.source) == (1, 1) for one, _ in starved)
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
            "layers": [one.layer.path for one, _ in starved],
        },
        price=Price(params=weights, macs=macs),
        fix=(
            f"keep the map larger: take a stride or pool away at or before {place(cause.path)}, "
            "or use larger images, or end the network before this layer"
            + (", or make its kernel 1×1 without padding, which is what it is." if points else ".")
        ),
        edits=_edits(starved) if points else (),
        safe=points and bool(_edits(starved)),
    )


def _edits(starved: list[tuple[Window, float]]) -> tuple[Edit, ...]:
    """On one position, a 1×1 kernel can do all that a larger one can."""
    paths = dict.fromkeys(window.layer.path for window, _ in starved)
    if any(
        not module_is(window.layer, "Conv2d") or window.before != pair(window.layer, "padding", 0)
        for window, _ in starved
    ):
        return ()
    return tuple(
        Edit(path=path, argument=argument, value=value)
        for path in paths
        for argument, value in (("kernel_size", 1), ("padding", 0))
    )


def _starved(graph: Graph) -> Iterator[tuple[Window, float]]:
    """Convolutions on maps smaller than their kernels, with the share of their dead taps."""
    for layer in graph.trace:
        window = window_of(graph, layer) if is_spatial_conv(layer) else None
        if window is None:
            continue
        size = map_size(window.source)
        if any(n < k for n, k in zip(size, window.kernel, strict=True)):
            share = dead_share(window)
            if share > 0:
                yield window, share


def _where_it_shrank(graph: Graph, layer: Layer) -> Layer:
    """The operation that first made a map of this size, along the first inputs."""
    size = map_size(layer)
    while (source := graph.source(layer)) is not None and is_map(source):
        if map_size(source) != size:
            return layer
        layer = source
    return layer
