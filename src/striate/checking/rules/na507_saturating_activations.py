"""NA507 saturating-activations

## What it finds

A deep network in which every path from the image to the output goes through many sigmoids or
tanhs.

## Why it is bad

A sigmoid's slope is at most 1/4: through five of them a gradient keeps at most a thousandth of
its size, besides what the weights do, and where a unit is saturated nothing at all. A tanh's slope
is 1 at zero alone and falls fast. The first layers learn last, or never. With a batch norm before
each, such a network trains, and ends behind the same one with ReLU: 69.8 % against 74.8 % on
ImageNet for Inception.

## Bad

```python
from torch import nn

def block(width):
    return nn.Sequential(
        nn.Conv2d(width, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.Sigmoid()
    )

net = nn.Sequential(
    block(3), block(16), block(16), block(16), block(16),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 8, 8)
```

Fires at `0.2`.

## Good

```python
from torch import nn

def block(width):
    return nn.Sequential(
        nn.Conv2d(width, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
    )

net = nn.Sequential(
    block(3), block(16), block(16), block(16), block(16),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 8, 8)
```

## How it is measured

Sigmoids, hard sigmoids, tanhs and softsigns are counted along the way from the image; where paths
meet, the shorter count goes on, since a skip carries the gradient past the others. What is
multiplied into something (a gate, a swish) is not counted. Found from five sigmoids on, or from
eight of any kind; the place is the first of them.

## Limits

The count says nothing of the weights: a careful start (Xiao et al. 2018) trains very deep tanh
networks. Hardtanh is silent, for binary networks are built on it. LeNet-5, with its four tanhs, is
far below the bound.

## References

Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks"
(AISTATS 2010), figures 2 and 3. Ioffe and Szegedy, "Batch normalization" (arXiv 1502.03167),
section 4.2.2 and figure 3, BN-x5-Sigmoid. Xiao et al. (arXiv 1806.05393).
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import JOINS, NORMS, POOLS, RESHAPES, SAME, Graph, is_weighted
from striate.checking.rule import Spot
from striate.checking.words import many, place
from striate.records import Layer, Severity, Trace

CODE = "NA507"
NAME = "saturating-activations"
SEVERITY: Severity = "warning"

SIGMOIDS = frozenset({"sigmoid", "hardsigmoid"})
SATURATING = SIGMOIDS | {"tanh", "softsign"}
MANY_SIGMOIDS = 5  # 4⁻⁵ is a thousandth
MANY = 8
SLOPE = 0.25


def find(trace: Trace) -> Iterator[Spot]:
    """The longest row of saturating activations that no path avoids."""
    graph = Graph(trace)
    rows: dict[int, tuple[Layer, ...]] = {}
    for layer in trace:
        before = [rows[source.index] for source in graph.sources(layer)]
        row: tuple[Layer, ...] = min(before, key=len, default=())
        rows[layer.index] = (*row, layer) if _counts(graph, layer) else row
    longest: tuple[Layer, ...] = max(rows.values(), key=len, default=())
    sigmoids = [layer for layer in longest if layer.op in SIGMOIDS]
    if not longest or (len(sigmoids) < MANY_SIGMOIDS and len(longest) < MANY):
        return
    kinds = " and ".join(sorted({layer.op for layer in longest}))
    kept = f" {len(sigmoids)} sigmoids let at most {SLOPE ** len(sigmoids):.0e} of it through."
    yield Spot(
        at=longest[0],
        message=(
            f"every gradient from the output passes {many(len(longest), f'{kinds} activation')} "
            f"between {place(longest[-1].path)} and here, and shrinks in each."
            f"{kept if len(sigmoids) >= MANY_SIGMOIDS else ''}"
        ),
        measured={
            "activations": len(longest),
            "sigmoids": len(sigmoids),
            "last": longest[-1].path,
        },
        fix="use an activation that does not saturate: ReLU, GELU or SiLU.",
    )


def _counts(graph: Graph, layer: Layer) -> bool:
    """Whether it bends the signal on its way (a gate does not)."""
    if layer.op not in SATURATING or layer.gate or not graph.sees_image(layer):
        return False
    readers = list(graph.readers(layer, SAME | RESHAPES | NORMS))
    if any(reader.op in ("mul", "addcmul", "lerp") for reader in readers):
        return False
    return any(
        is_weighted(reader) or reader.op in JOINS | POOLS or "pool" in reader.op
        for reader in readers
    )
