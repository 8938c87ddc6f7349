"""FL203 kernel-smaller-than-stride

## What it finds

A convolution or pool whose kernel steps over pixels, when nothing else looks at them either.

## Why it is bad

A 1×1 kernel with stride 2 reads one pixel of four. The other three were computed, and are thrown
away unseen: their multiply-accumulates are lost, thin structures can fall between the steps, and
what remains is aliased. The first form of ResNet did this in every downsampling block, with the
stride on the leading 1×1 of the branch and on the projection alike; moving it to the 3×3 is what
"v1.5" means.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.Conv2d(16, 32, 1, stride=2), nn.ReLU(),
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
    nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

## How it is measured

Along one axis, output *i* reads elements *i·stride − padding + j·dilation* for each tap *j*; so
what is read repeats with the stride, and is a set of remainders. For every map, what all its
readers read is put together, behind activations and norms, which leave pixels in their place. The
rule fires when some remain that no reader reads: a 1×1 projection with stride 2 on a skip is
silent as long as the branch beside it looks everywhere. The price is the share of
multiply-accumulates of the convolution that made the map which went into unread pixels.

## Limits

An operation that is not a convolution or a pool counts as reading everything (a slice with a step
does not, in truth). Rows and columns lost at the far edge, where the stride does not divide the
size, are another matter.

## References

He et al., "Bag of tricks for image classification" (arXiv 1812.01187), figure 2, ResNet-B: "the
convolution in path A ignores three-quarters of the input feature map". Zhang, "Making
convolutional networks shift-invariant again" (arXiv 1904.11486).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from striate.checking.graph import JOINS, POINTWISE, POOLS, Graph, is_map, kernel, map_size, pair
from striate.checking.rule import Spot
from striate.checking.taps import read
from striate.checking.words import percent, place, sides
from striate.records import Layer, Price, Severity, Trace

CODE = "FL203"
NAME = "kernel-smaller-than-stride"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")  # who else reads an output is not known then

MAKERS = frozenset({"input", "conv2d", "conv_transpose2d", "mul"}) | POOLS | JOINS
"""What makes a map; not what only pads, crops or moves one, for the rest may be read elsewhere."""


def find(trace: Trace) -> Iterator[Spot]:
    """Maps with pixels that no reader reads, each at its first reader."""
    graph = Graph(trace)
    for layer in trace:
        if layer.op not in MAKERS or not is_map(layer) or not graph.sees_image(layer):
            continue
        readers = sorted(graph.readers(layer, POINTWISE), key=lambda reader: reader.index)
        if not readers or not all(
            reader.op == "conv2d" or reader.op in POOLS for reader in readers
        ):
            continue
        seen = np.zeros(map_size(layer), dtype=bool)
        for reader in readers:
            seen |= _read_by(reader, map_size(layer))
        unread = 1.0 - float(seen.mean())
        if unread == 0:
            continue
        first = readers[0]
        wasted = round(unread * (layer.macs or 0))
        others = " and ".join(place(reader.path) for reader in readers[1:])
        also = f", and so does {others}" if others else ""
        yield Spot(
            at=first,
            message=(
                f"a {sides(kernel(first))} kernel with stride {_stride(first)} steps over pixels "
                f"of the {sides(map_size(layer))} map{also}: {percent(unread)} of them are never "
                "looked at."
            ),
            measured={
                "kernel": list(kernel(first)),
                "stride": list(pair(first, "stride", 1)),
                "dilation": list(pair(first, "dilation", 1)),
                "map": list(map_size(layer)),
                "unread": unread,
                "readers": [reader.path for reader in readers],
            },
            price=Price(macs=wasted),
            fix=_mend(first),
        )


def _read_by(reader: Layer, size: tuple[int, int]) -> NDArray[np.bool_]:
    rows, columns = (
        read(
            length,
            kernel=kernel(reader)[axis],
            stride=pair(reader, "stride", 1)[axis],
            padding=pair(reader, "padding", 0)[axis],
            dilation=pair(reader, "dilation", 1)[axis],
        )
        for axis, length in enumerate(size)
    )
    return np.logical_and.outer(rows, columns)


def _stride(layer: Layer) -> str:
    stride = pair(layer, "stride", 1)
    return str(stride[0]) if stride[0] == stride[1] else sides(stride)


def _mend(layer: Layer) -> str:
    stride = pair(layer, "stride", 1)
    if max(pair(layer, "dilation", 1)) > 1 and min(kernel(layer)) > 1:
        return (
            "take the dilation away, or choose one that has no divisor in common with the stride."
        )
    if layer.op in POOLS:
        return f"make the kernel as large as the stride: {sides(stride)}."
    return (
        "make the kernel at least as large as the stride (3×3 with padding 1), or put the stride "
        f"on a neighbouring layer whose kernel is, or pool with {sides(stride)} first."
    )
