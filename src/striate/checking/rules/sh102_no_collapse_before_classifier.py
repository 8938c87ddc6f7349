"""SH102 no-collapse-before-classifier

## What it finds

A map that is flattened into a dense layer while it still has height and width, when the weights
this costs are most of the network.

## Why it is bad

A dense layer on a flattened map has a weight for every position: the same detector is learned
anew in every corner, and the network is tied to one image size. VGG-16 holds 103 of its 138
million parameters in the one layer behind its 7×7 flatten. Pooling the map to one value per
channel first (global average pooling) divides those weights by the number of positions; Lin et
al. found that it also overfits less, and every ResNet since has done so.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(64 * 8 * 8, 128), nn.ReLU(), nn.Linear(128, 10),
)
image = (3, 32, 32)
```

Fires at `7`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10),
)
image = (3, 32, 32)
```

## How it is measured

For a dense layer that takes a flattened (C, H, W) map (or for its equal: a convolution whose
kernel is the whole map), global pooling would keep 1/(H·W) of its weights. The rule fires when
the weights saved are more than 262,144 (one mebibyte in fp32) and more than half of the network's
parameters, those of further hidden dense layers left out.

## Limits

Below one mebibyte nobody's budget is hurt: LeNet-5, whose dense layer on 5×5 maps has 48,000
weights (78 %), passes. A network that flattens the image itself is a multi-layer perceptron, and
means to. Where the position of a thing carries its class (a board game, a fixed scene), a flatten
is right: ignore the rule there.

## References

Lin, Chen and Yan, "Network in network" (arXiv 1312.4400), section 3.2. Simonyan and Zisserman,
"Very deep convolutional networks" (arXiv 1409.1556), table 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from striate.checking.graph import (
    ACTIVATIONS,
    DENSE,
    NORMS,
    RESHAPES,
    SAME,
    Graph,
    groups,
    is_map,
    kernel,
    map_size,
)
from striate.checking.rule import Spot
from striate.checking.words import count, percent, sides
from striate.records import Layer, Price, Severity, Trace

CODE = "SH102"
NAME = "no-collapse-before-classifier"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH111",)  # the map that is flattened is made of copies

MOST_OF_THE_NETWORK = 0.5
A_MEBIBYTE = 2**18  # fp32 weights


def find(trace: Trace) -> Iterator[Spot]:
    """Dense layers whose weights are mostly positions."""
    graph = Graph(trace)
    hidden = sum(layer.params for layer in trace if _is_hidden(graph, layer))
    for layer in trace:
        flattened = _map_it_flattens(graph, layer)
        if flattened is None:
            continue
        positions = prod(map_size(flattened))
        outputs = layer.shape[1]
        weights = flattened.shape[1] * positions * outputs
        saved = weights - weights // positions
        others = hidden - (layer.params if _is_hidden(graph, layer) else 0)
        most = MOST_OF_THE_NETWORK * (trace.totals.params - others)
        if layer.params == 0 or saved <= max(A_MEBIBYTE, most):
            continue
        channels = flattened.shape[1]
        yield Spot(
            at=layer,
            message=(
                f"a {sides(map_size(flattened))} map of {channels} channels is flattened into "
                f"{channels * positions:,} features here: this layer holds {count(weights)} "
                f"weights, {percent(weights / trace.totals.params)} of the network."
            ),
            measured={
                "map": list(map_size(flattened)),
                "channels": channels,
                "features": channels * positions,
                "weights": weights,
                "share": weights / trace.totals.params,
            },
            price=Price(params=saved, macs=saved),
            fix=(
                f"pool the map to 1×1 first (global average pooling): {channels} features and "
                f"{count(weights // positions)} weights instead of {count(weights)}."
            ),
        )


def _map_it_flattens(graph: Graph, layer: Layer) -> Layer | None:
    """The map (computed by at least one convolution) that a dense layer takes whole, or None."""
    source = graph.source(layer)
    if source is None:
        return None
    if layer.op in DENSE:
        origin = graph.back(source, RESHAPES | SAME)
        flat = len(source.shape) == 2 and is_map(origin)
        if not flat or prod(origin.shape[1:]) != source.shape[1]:
            return None
    elif layer.op == "conv2d":
        origin = source
        whole = is_map(origin) and kernel(layer) == map_size(origin) and groups(layer) == 1
        if not whole or map_size(layer) != (1, 1):
            return None
    else:
        return None
    if prod(map_size(origin)) == 1 or not _is_convolved(graph, origin):
        return None
    return origin


def _is_hidden(graph: Graph, layer: Layer) -> bool:
    """Whether it is a dense layer that another one reads."""
    if layer.op not in DENSE or len(layer.shape) != 2:
        return False
    return any(one.op in DENSE for one in graph.readers(layer, SAME | ACTIVATIONS | NORMS))


def _is_convolved(graph: Graph, layer: Layer) -> bool:
    return any(graph[index].op == "conv2d" for index in graph.ancestors(layer))
