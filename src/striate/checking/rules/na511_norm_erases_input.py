"""NA511 norm-erases-input

## What it finds

A norm behind which nothing of the image is left: one that has a single value to normalise, or one
that centres each channel of each image just before the average over that channel.

## Why it is bad

A value minus itself is zero. An instance norm of a 1×1 map, a layer norm over one feature, or a
group norm with one value to a group gives its bias, whatever came in. So does an instance norm
followed by global average pooling: the mean of what was brought to mean zero is zero. The network
behind answers the same for every image, and trains to the frequencies of the classes.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.ReLU(),
    nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.InstanceNorm2d(32),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

Fires at `3`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.ReLU(),
    nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

## How it is measured

Values under one mean: the map's pixels for an instance norm, those times the channels of a group
for a group norm, the normalised shape for a layer norm. Where that is 1, the output is the bias.
Where it is one channel's map, and all that reads the norm (behind dropout and batch norm) is an
average over the whole map, the output of that average is the bias.

## Limits

An activation between the norm and the pool saves something of the image, and is silent here. RMS
norm does not subtract the mean: of one value it keeps the sign, and it is silent.

## References

Ulyanov et al., "Instance normalization" (arXiv 1607.08022), equation for y; Wu and He, "Group
normalization" (arXiv 1803.08494), equations 1 to 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from striate.checking.graph import SAME, Graph
from striate.checking.rule import Spot
from striate.checking.words import place, sides
from striate.records import Layer, Severity, Trace

CODE = "NA511"
NAME = "norm-erases-input"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")  # who else reads an output is not known then

AVERAGES = frozenset({"adaptive_avg_pool2d", "avg_pool2d", "mean"})


def find(trace: Trace) -> Iterator[Spot]:
    """Norms that leave their bias alone."""
    graph = Graph(trace)
    for layer in trace:
        if not graph.sees_image(layer):
            continue
        values = _values(layer)
        pool = _average_behind(graph, layer) if values and _is_one_channels(layer) else None
        if values == 1:
            message = "this norm has one value under each mean"
            fix = "take it away, or normalise over several values."
        elif pool is not None:
            message = (
                f"this norm brings each of its {sides(layer.shape[2:])} maps to mean 0, and "
                f"{place(pool.path)} takes their mean"
            )
            fix = "use a batch norm, or put an activation between the norm and the pool."
        else:
            continue
        yield Spot(
            at=layer,
            message=(f"{message}: what is handed on is the norm's bias, the same for every image."),
            measured={"values": values},
            fix=fix,
        )


def _values(layer: Layer) -> int:
    """How many values share a mean; 0 for what is no such norm."""
    pixels = prod(layer.shape[2:])
    if layer.op == "instance_norm":
        return pixels
    if layer.op == "group_norm":
        return pixels * layer.shape[1] // int(layer.attrs.get("groups", 1))
    shape = layer.attrs.get("normalized_shape") if layer.op == "layer_norm" else None
    return prod(shape) if shape is not None else 0


def _is_one_channels(layer: Layer) -> bool:
    return layer.op == "instance_norm" or layer.attrs.get("groups") == layer.shape[1]


def _average_behind(graph: Graph, norm: Layer) -> Layer | None:
    """The average over the whole map that is all that reads the norm, or None."""
    readers = list(graph.readers(norm, SAME | {"batch_norm"}))
    whole = readers and all(
        reader.op in AVERAGES and reader.shape[:2] == norm.shape[:2] and prod(reader.shape[2:]) == 1
        for reader in readers
    )
    return readers[0] if whole else None
