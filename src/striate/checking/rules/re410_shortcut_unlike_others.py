"""RE410 shortcut-unlike-others

## What it finds

A projection on a skip that reads one position in four, in a network whose other skips pool before
they project.

## Why it is bad

The network was drawn with skips that look at every position (ResNet-D), and at this one the pool is
missing: three quarters of what the skip is given are thrown away unseen.

## Bad

```python
from torch import nn

class Block(nn.Module):
    def __init__(self, given, width, pooled):
        super().__init__()
        self.conv1 = nn.Conv2d(given, width, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.pool = nn.AvgPool2d(2) if pooled else nn.Identity()
        self.project = nn.Conv2d(given, width, 1, stride=1 if pooled else 2, bias=False)

    def forward(self, x):
        y = self.norm1(self.conv1(x)).relu()
        return (self.project(self.pool(x)) + self.norm2(self.conv2(y))).relu()

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block(16, 32, True), Block(32, 64, False),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
image = (3, 32, 32)
```

Fires at `3.project`.

## Good

```python
from torch import nn

class Block(nn.Module):
    def __init__(self, given, width, pooled):
        super().__init__()
        self.conv1 = nn.Conv2d(given, width, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.pool = nn.AvgPool2d(2) if pooled else nn.Identity()
        self.project = nn.Conv2d(given, width, 1, stride=1 if pooled else 2, bias=False)

    def forward(self, x):
        y = self.norm1(self.conv1(x)).relu()
        return (self.project(self.pool(x)) + self.norm2(self.conv2(y))).relu()

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block(16, 32, True), Block(32, 64, True),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
image = (3, 32, 32)
```

## How it is measured

Skips with a convolution whose kernel is smaller than its stride, in networks where at least as many
other projected skips have a pool. A block with several sums of its own (the cells of NASNet) is
left out: its branches are of all kinds on purpose.

## Limits

Where no skip pools, the network is a ResNet as first published; RE406, which is opt-in, says what
pooling would bring.

## References

He et al., "Bag of tricks for image classification" (arXiv 1812.01187), section 4.1, ResNet-D.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod

from striate.checking.graph import POOLS, Graph, kernel, pair
from striate.checking.residual import Sum, sums
from striate.checking.rule import Spot
from striate.checking.words import place, sides
from striate.records import Layer, Severity, Trace

CODE = "RE410"
NAME = "shortcut-unlike-others"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401", "FL203")


def find(trace: Trace) -> Iterator[Spot]:
    """Projections that discard where others pool."""
    every = list(sums(Graph(trace), trace))
    alone = Counter(one.join.path for one in every)
    projected = [one for one in every if one.is_projected and alone[one.join.path] == 1]
    pooled = [one for one in projected if any(layer.op in POOLS for layer in one.skip)]
    discarding = [(one, layer) for one in projected if (layer := _discards(one)) is not None]
    if not pooled or len(discarding) > len(pooled):
        return
    for _, layer in discarding:
        stride = pair(layer, "stride", 1)
        yield Spot(
            at=layer,
            message=(
                f"this {sides(kernel(layer))} projection with stride {stride[0]} reads one "
                f"position in {prod(stride) // prod(kernel(layer))}, where the skip at "
                f"{place(pooled[0].join.path)} pools first."
            ),
            measured={
                "kernel": list(kernel(layer)),
                "stride": list(stride),
                "pooled": [one.join.path for one in pooled],
            },
            fix=f"average-pool with {sides(stride)} before it and give it stride=1.",
        )


def _discards(one: Sum) -> Layer | None:
    """The convolution on the skip that steps over positions, or None."""
    for layer in one.skip:
        steps = zip(pair(layer, "stride", 1), kernel(layer), strict=True)
        if layer.op == "conv2d" and any(step > size for step, size in steps):
            return layer
    return None
