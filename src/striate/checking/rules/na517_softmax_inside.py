"""NA517 softmax-inside

## What it finds

A softmax between two layers, in the place of an activation.

## Why it is bad

Its outputs along the channels sum to 1, so that with C channels each is 1 / C on average: the
signal shrinks by that at every such layer, channels can only gain what others lose, and where one
wins all others have no gradient. It is an answer, not an activation.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.Softmax(dim=1),
    nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

Fires at `2`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

## How it is measured

The softmax works on what a convolution, a dense layer, a sum or a concatenation gives, with or
without a norm, along its channels or features, and all that reads it, behind norms, pools, sums,
concatenations and reshapes, are convolutions and dense layers.

## Limits

Attention is silent: its weights are multiplied with something (between talking heads, which are
layers, the softmax runs along the keys). So are a softmax that is part of
what the network returns, and one beside which something else is read too.

## References

Goodfellow, Bengio and Courville, "Deep learning" (2016), section 6.2.2.3, on what a softmax does
to its inputs, and on its use for hidden units.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.ends import removal
from striate.checking.graph import (
    ACTIVATIONS,
    DENSE,
    JOINS,
    NORMS,
    POOLS,
    RESHAPES,
    SAME,
    Graph,
    is_weighted,
)
from striate.checking.rule import Spot
from striate.checking.words import place
from striate.records import Layer, Severity, Trace

CODE = "NA517"
NAME = "softmax-inside"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401", "NA516")  # who reads it is not known; it is wrong in another way

GLUE = frozenset(
    {"adaptive_avg_pool2d", "adaptive_max_pool2d", "add", "cat", "interpolate", "mean", "pad"}
)
PASSED = ACTIVATIONS | NORMS | POOLS | RESHAPES | SAME | GLUE


def find(trace: Trace) -> Iterator[Spot]:
    """Softmaxes that only layers read."""
    graph = Graph(trace)
    for layer in trace:
        if layer.op not in ("softmax", "log_softmax") or not graph.sees_image(layer):
            continue
        maker = _maker(graph, layer)
        readers = list(graph.readers(layer, PASSED))
        if maker is None or not readers or not all(is_weighted(reader) for reader in readers):
            continue
        along = len(layer.shape) - 1 if maker.op in DENSE else 1
        if layer.attrs.get("dim") != along:
            continue
        width = layer.shape[along]
        yield Spot(
            at=layer,
            message=(
                f"a {layer.op} lies between {place(maker.path)} and {place(readers[0].path)}, "
                f"where an activation belongs: its {width} outputs sum to 1."
            ),
            measured={"op": layer.op, "width": width, "first": maker.path},
            fix="put an activation in its place: ReLU, GELU or SiLU.",
            edits=removal(layer),
        )


def _maker(graph: Graph, softmax: Layer) -> Layer | None:
    """The layer, or the joint of layers, whose output it works on, if it is one."""
    source = graph.source(softmax)
    if source is None:
        return None
    source = graph.back(source, NORMS | RESHAPES | SAME)
    return source if is_weighted(source) or source.op in JOINS else None
