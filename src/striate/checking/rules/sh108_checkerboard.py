"""SH108 checkerboard

## What it finds

A transposed convolution whose kernel is not a multiple of its stride.

## Why it is bad

Each input pixel paints a kernel onto the output, a stride apart. Where the kernel is no multiple
of the stride, some output pixels are painted more often than their neighbours, in a regular
pattern: with a kernel of 3 and a stride of 2, one, two or four times. The weights would have to
learn to undo it for every feature; they do so badly, and a checkerboard is left in the output and
in the gradients.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(),
    nn.ConvTranspose2d(16, 16, 3, stride=2, padding=1, output_padding=1), nn.ReLU(),
    nn.Conv2d(16, 3, 3, padding=1),
)
image = (3, 32, 32)
```

Fires at `2`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(),
    nn.ConvTranspose2d(16, 16, 4, stride=2, padding=1), nn.ReLU(),
    nn.Conv2d(16, 3, 3, padding=1),
)
image = (3, 32, 32)
```

## How it is measured

An output pixel at place *r* within a stride is reached by the taps *j* with *j·dilation ≡ r*. The
rule fires when these are not equally many for every *r*; the message counts the fewest and the
most kernel taps that meet at one pixel.

## Limits

A kernel that is a multiple of the stride covers evenly, and can still learn an uneven pattern;
upsampling by interpolation with a convolution behind it cannot.

## References

Odena, Dumoulin and Olah, "Deconvolution and checkerboard artifacts" (Distill, 2016,
doi 10.23915/distill.00003).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from striate.checking.graph import Graph, is_map, kernel, map_size, pair
from striate.checking.rule import Spot
from striate.checking.windows import module_is
from striate.checking.words import sides
from striate.records import Edit, Layer, Severity, Trace

CODE = "SH108"
NAME = "checkerboard"
SEVERITY: Severity = "warning"


def find(trace: Trace) -> Iterator[Spot]:
    """Transposed convolutions that cover their output unevenly."""
    graph = Graph(trace)
    for layer in trace:
        if layer.op != "conv_transpose2d" or not is_map(layer):
            continue
        covers = [_covers(layer, axis) for axis in (0, 1)]
        fewest, most = (covers[0][i] * covers[1][i] for i in (0, 1))
        if fewest == most:
            continue
        stride = pair(layer, "stride", 1)
        shown = str(stride[0]) if stride[0] == stride[1] else sides(stride)
        yield Spot(
            at=layer,
            message=(
                f"a {sides(kernel(layer))} kernel with stride {shown} covers its output unevenly: "
                f"some pixels are made by {fewest} of its taps and others by {most}, which shows "
                "as a checkerboard."
            ),
            measured={
                "kernel": list(kernel(layer)),
                "stride": list(stride),
                "fewest_taps": fewest,
                "most_taps": most,
            },
            fix=(
                f"use a kernel of {sides(_multiple(layer))}, a multiple of the stride (with the "
                "padding that keeps the size), or upsample by interpolation and convolve."
            ),
            edits=_edits(graph, layer),
        )


def _covers(layer: Layer, axis: int) -> tuple[int, int]:
    """The fewest and the most taps that reach one output pixel along an axis."""
    stride, dilation = pair(layer, "stride", 1)[axis], pair(layer, "dilation", 1)[axis]
    met = Counter(tap * dilation % stride for tap in range(kernel(layer)[axis]))
    every = [met[place] for place in range(stride)]
    return min(every), max(every)


def _multiple(layer: Layer) -> tuple[int, int]:
    """The next kernel that is a multiple of the stride."""
    first, second = (
        -(-size // step) * step
        for size, step in zip(kernel(layer), pair(layer, "stride", 1), strict=True)
    )
    return first, second


def _edits(graph: Graph, layer: Layer) -> tuple[Edit, ...]:
    """The wider kernel, with paddings that leave the output as large as it was."""
    source = graph.source(layer)
    if source is None or not is_map(source) or not module_is(layer, "ConvTranspose2d"):
        return ()
    if pair(layer, "dilation", 1) != (1, 1):
        return ()
    wide, pads, more = _multiple(layer), list[int](), list[int]()
    for axis in (0, 1):
        grown = (map_size(source)[axis] - 1) * pair(layer, "stride", 1)[axis] + wide[axis]
        over = grown - map_size(layer)[axis]  # 2·padding − output_padding
        if over < 0:
            return ()
        pads.append(-(-over // 2))
        more.append(over % 2)
    return tuple(
        Edit(
            path=layer.path, argument=name, value=value[0] if value[0] == value[1] else tuple(value)
        )
        for name, value in (("kernel_size", wide), ("padding", pads), ("output_padding", more))
    )
