"""RE406 discarding-shortcut

## What it finds

A projection on a skip that reads one position in four: a 1×1 convolution with stride 2.

## Why it is bad

The branch beside it looks at every position; the skip throws three quarters of them away, without
having looked. Averaging 2×2 positions first and projecting with stride 1 keeps what they hold, for
next to nothing: 77.16 instead of 76.87 % top-1 for ResNet-50, measured by He et al., who call it
ResNet-D.

## Bad

```python
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(32)
        self.project = nn.Conv2d(16, 32, 1, stride=2, bias=False)

    def forward(self, x):
        y = self.norm1(self.conv1(x)).relu()
        return (self.project(x) + self.norm2(self.conv2(y))).relu()

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

Fires at `2.project`.

## Good

```python
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(32)
        self.pool, self.project = nn.AvgPool2d(2), nn.Conv2d(16, 32, 1, bias=False)

    def forward(self, x):
        y = self.norm1(self.conv1(x)).relu()
        return (self.project(self.pool(x)) + self.norm2(self.conv2(y))).relu()

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

## How it is measured

At every residual sum, the convolutions on the skip whose kernel is smaller than their stride. One
finding is made for the network, at the first of them; it lists all.

## Limits

The original ResNet does this in every downsampling block, and works. What is gained is small, and
it is an opinion on how to spend nearly nothing. Where the branch skips the same positions, FL203
says so; where the network's other projections do pool first, RE410.

## References

He, Zhang, Zhang, Zhang, Xie and Li, "Bag of tricks for image classification with convolutional
neural networks" (arXiv 1812.01187), section 4.1 and table 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from striate.checking.graph import Graph, kernel, pair
from striate.checking.residual import sums
from striate.checking.rule import Spot
from striate.checking.words import many, place, sides
from striate.records import Layer, Severity, Trace

CODE = "RE406"
NAME = "discarding-shortcut"
SEVERITY: Severity = "info"
OPT_IN = True
SILENT_IF = ("SH100", "RE401", "FL203")


def find(trace: Trace) -> Iterator[Spot]:
    """The first strided projection that steps over positions, with all others."""
    graph = Graph(trace)
    found: list[Layer] = []
    for one in sums(graph, trace):
        found += [layer for layer in one.skip if layer.op == "conv2d" and _steps_over(layer)]
    if not found:
        return
    first = found[0]
    stride = pair(first, "stride", 1)
    others = ""
    if len(found) > 1:
        verb = "does" if len(found) == 2 else "do"
        more = many(len(found) - 1, "other projection")
        others = f"; so {verb} {more}, up to {place(found[-1].path)}"
    yield Spot(
        at=first,
        message=(
            f"this {sides(kernel(first))} projection with stride {stride[0]} reads one position in "
            f"{prod(stride) // prod(kernel(first))} of what it hands on{others}."
        ),
        measured={
            "kernel": list(kernel(first)),
            "stride": list(stride),
            "projections": [layer.path for layer in found],
        },
        fix=(
            f"average-pool the skip with {sides(stride)} first and give the projection stride=1 "
            "(ResNet-D)."
        ),
    )


def _steps_over(layer: Layer) -> bool:
    return any(
        step > size for step, size in zip(pair(layer, "stride", 1), kernel(layer), strict=True)
    )
