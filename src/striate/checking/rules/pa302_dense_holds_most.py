"""PA302 dense-holds-most

## What it finds

A hidden dense layer behind the features that holds more than half of the network's parameters,
alone or together with those that follow it.

## Why it is bad

What recognises is the convolutions; a wide dense layer between them and the classes mixes features
that are already there. It is the part that overfits first, and the reason why AlexNet and VGG
drop half of its units while they train. GoogLeNet went from the pooled features straight to the
classes, gained by it, and nearly every network since has done so.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    nn.Linear(64, 8192), nn.ReLU(), nn.Linear(8192, 10),
)
image = (3, 32, 32)
```

Fires at `7`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
image = (3, 32, 32)
```

## How it is measured

Dense layers on one vector for each image behind which another dense layer follows are hidden. When
they hold more than half of all parameters together, the largest is reported, if it has more than
262,144 (one mebibyte in fp32). The price is what going straight to the layer behind it would save.

## Limits

The layer that makes the class scores is never reported: with a thousand classes and few features
it may well hold most of a small network (MobileNet v3 small), and there is nothing to put in its
place. Flattened maps are SH102's question; networks without convolutions are silent.

## References

Szegedy et al., "Going deeper with convolutions" (arXiv 1409.4842), section 5: "a move from fully
connected layers to average pooling improved the top-1 accuracy by about 0.6%". Lin, Chen and Yan,
"Network in network" (arXiv 1312.4400), section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import ACTIVATIONS, DENSE, NORMS, SAME, Graph, channels, is_weighted
from striate.checking.rule import Spot
from striate.checking.words import count, percent, place
from striate.records import Layer, Price, Severity, Trace

CODE = "PA302"
NAME = "dense-holds-most"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "SH102", "SH111")

MOST_OF_THE_NETWORK = 0.5
A_MEBIBYTE = 2**18  # fp32 weights


def find(trace: Trace) -> Iterator[Spot]:
    """The largest of the hidden dense layers that are most of the network."""
    graph = Graph(trace)
    if not any(layer.op == "conv2d" and graph.sees_image(layer) for layer in trace):
        return
    hidden = [(layer, after) for layer in trace if (after := _after(graph, layer)) is not None]
    together = sum(layer.params for layer, _ in hidden) / max(1, trace.totals.params)
    if not hidden or together <= MOST_OF_THE_NETWORK:
        return
    layer, after = max(hidden, key=lambda one: one[0].params)
    if layer.params <= A_MEBIBYTE:
        return
    (width, middle), out = channels(layer), channels(after)[1]
    saved = max(0, width * middle + middle * out - width * out)
    own = layer.params / trace.totals.params
    also = (
        "" if len(hidden) == 1 else f" ({percent(together)} with the hidden dense layers beside it)"
    )
    yield Spot(
        at=layer,
        message=(
            f"this hidden dense layer from {width:,} to {middle:,} features holds "
            f"{count(layer.params)} parameters, {percent(own)} of the network{also}."
        ),
        measured={
            "features": [width, middle, out],
            "params": layer.params,
            "share": own,
            "share_together": together,
        },
        price=Price(params=saved, macs=saved),
        fix=(
            f"let {place(after.path)} read the {width:,} features itself "
            f"({count(saved)} weights less), or make this layer narrower."
        ),
    )


def _after(graph: Graph, layer: Layer) -> Layer | None:
    """The dense layer that alone reads a dense layer of one vector an image, or None."""
    if layer.op not in DENSE or len(layer.shape) != 2 or not layer.params:
        return None
    following = [
        one for one in graph.readers(layer, SAME | ACTIVATIONS | NORMS) if is_weighted(one)
    ]
    return following[0] if len(following) == 1 and following[0].op in DENSE else None
