"""NA512 norm-norm

## What it finds

A norm whose input is another norm's output, with nothing between.

## Why it is bad

The second brings to mean 0 and deviation 1 what has just been brought there. Of the first, only a
scale and a shift are left, which the second undoes. It costs a pass over memory in each direction,
and the map that is kept for backward.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.BatchNorm2d(16), nn.ReLU(),
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
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

## How it is measured

A norm's only input is, behind dropout and copies, a norm that nothing else reads. The price is the
second's parameters and what it keeps for backward.

## Limits

Two norms of different kinds do not undo each other wholly (a layer norm and then a batch norm is
neither); what is lost is still little, and the message names both. A norm that ends a block and
one that begins the next, with a skip that reads between them, are silent.

## References

Ioffe and Szegedy, "Batch normalization" (arXiv 1502.03167), algorithm 1.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.ends import removal
from striate.checking.graph import NORMS, SAME, Graph
from striate.checking.rule import Spot
from striate.checking.words import place
from striate.records import Layer, Price, Severity, Trace

CODE = "NA512"
NAME = "norm-norm"
SEVERITY: Severity = "info"
SILENT_IF = ("SH100", "RE401")  # who else reads an output is not known then


def find(trace: Trace) -> Iterator[Spot]:
    """Second norms."""
    graph = Graph(trace)
    for layer in trace:
        first = _norm_before(graph, layer) if layer.op in NORMS else None
        if first is None:
            continue
        yield Spot(
            at=layer,
            message=(
                f"this {_kind(layer)} works on what the {_kind(first)} {place(first.path)} has "
                "just normalised."
            ),
            measured={"first": first.path, "ops": [first.op, layer.op]},
            price=Price(params=layer.params, bytes=layer.saved_bytes),
            fix="keep one of the two.",
            edits=removal(layer),
            safe=first.op == layer.op == "batch_norm",
        )


def _norm_before(graph: Graph, layer: Layer) -> Layer | None:
    here = graph.source(layer)
    while here is not None and graph.only_user(here) is not None:
        if here.op in NORMS:
            return here
        if here.op not in SAME:
            return None
        here = graph.source(here)
    return None


def _kind(layer: Layer) -> str:
    return layer.op.replace("_", " ")
