"""RE408 projected-everywhere

## What it finds

A residual network in which no block has an identity: every skip passes through a convolution, also
where the shapes already fit.

## Why it is bad

A projection is needed where the channels or the size change. Anywhere else it costs parameters and
multiply-accumulates, and takes from the network what skips are for: with identities a gradient
reaches every block unchanged, with projections it is multiplied by a matrix each time. On CIFAR-10,
ResNet-110 with a 1×1 convolution on every skip errs on 12.22 % instead of 6.61 %.

## Bad

```python
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(16)
        self.project = nn.Conv2d(16, 16, 1, bias=False)

    def forward(self, x):
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        return (self.project(x) + y).relu()

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block(), Block(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 16, 16)
```

Fires at `2.project`.

## Good

```python
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(16)

    def forward(self, x):
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        return (x + y).relu()

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block(), Block(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 16, 16)
```

## How it is measured

At every residual sum of two or more: whether the skip has weight layers, and whether what the block
was given already has the shape of the sum. It fires when no skip is without weights and at least
two are projected without need. The price is the needless projections.

## Limits

Two branches of as many weight layers are not a skip and a branch. A network with one block in each
stage, all of which change the shape, is silent.

## References

He, Zhang, Ren and Sun, "Identity mappings in deep residual networks" (arXiv 1603.05027), table 1,
"1×1 conv shortcut"; "Deep residual learning for image recognition" (arXiv 1512.03385), section
4.1, option C.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import Graph, is_weighted
from striate.checking.residual import Sum, sums
from striate.checking.rule import Spot
from striate.checking.words import count
from striate.records import Edit, Price, Severity, Trace

CODE = "RE408"
NAME = "projected-everywhere"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")

LEAST = 2  # needless projections


def find(trace: Trace) -> Iterator[Spot]:
    """The first needless projection of a network without an identity, with all others."""
    found = list(sums(Graph(trace), trace))
    needless = [one for one in found if one.is_projected and one.carries_input]
    if len(needless) < LEAST or any(not one.is_projected for one in found):
        return
    params = sum(layer.params for one in needless for layer in one.skip)
    macs = sum(layer.macs or 0 for one in needless for layer in one.skip)
    first = next(layer for layer in needless[0].skip if is_weighted(layer))
    yield Spot(
        at=first,
        message=(
            f"all {len(found)} skips are projected, {len(needless)} of them "
            f"without need (the shapes fit as they are): {count(params)} parameters and "
            f"{count(macs)} MACs, and no identity for the gradient."
        ),
        measured={
            "skips": len(found),
            "needless": [_project(one) for one in needless],
            "params": params,
            "macs": macs,
        },
        price=Price(params=params, macs=macs),
        fix="add the block's input as it is wherever its shape is that of the branch.",
        edits=tuple(
            Edit(path=path, argument=None)
            for one in needless
            for path in dict.fromkeys(layer.path for layer in one.skip if layer.params)
        ),
    )


def _project(one: Sum) -> str:
    return next(layer.path for layer in one.skip if is_weighted(layer))
