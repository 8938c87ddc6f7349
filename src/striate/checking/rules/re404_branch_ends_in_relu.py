"""RE404 branch-ends-in-relu

## What it finds

A residual branch whose last operation before the addition is a ReLU (or another function that is
never negative).

## Why it is bad

Such a branch can only add: from block to block every feature grows or stays, and nothing can be
taken back. A residual is a correction and needs both signs. On CIFAR-10, ResNet-110 with the ReLU
moved before the addition errs on 7.84 % instead of 6.61 %.

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
        self.relu = nn.ReLU()

    def forward(self, x):
        return x + self.relu(self.norm2(self.conv2(self.norm1(self.conv1(x)).relu())))

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

Fires at `2.relu`.

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
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(x + self.norm2(self.conv2(self.norm1(self.conv1(x)).relu())))

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

## How it is measured

At every sum with a skip that has no weight layers and the shape of the sum: what the branch's end
is, looked for behind dropout. ReLU, ReLU6, sigmoid and softplus are never negative. One finding is
made for the network, at the first such branch; it counts all.

## Limits

Leaky ReLU, SiLU and GELU let some negative values through and are left alone. So are branches that
concatenate (VoVNet, HGNet), whose last convolution gathers features that are all activated, and
sums over parts of the channels (Res2Net), which are no skips around a block.

## References

He, Zhang, Ren and Sun, "Identity mappings in deep residual networks" (arXiv 1603.05027), table 2,
"ReLU before addition".
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import SAME, Graph
from striate.checking.residual import sums
from striate.checking.rule import Spot
from striate.checking.words import many
from striate.records import Edit, Severity, Trace

CODE = "RE404"
NAME = "branch-ends-in-relu"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")

MOVES = frozenset({"permute", "transpose"})
NEVER_NEGATIVE = frozenset({"relu", "relu6", "sigmoid", "hardsigmoid", "softplus"})


def find(trace: Trace) -> Iterator[Spot]:
    """The first branch that can only add, with the number of all."""
    graph = Graph(trace)
    found = [
        (one, end)
        for one in sums(graph, trace)
        if one.join.op == "add"
        and not one.is_projected
        and one.carries_input
        and not any(layer.op == "cat" for layer in one.branch)
        and (end := graph.back(one.tail, SAME | MOVES)).op in NEVER_NEGATIVE
        and any(end.index == layer.index for layer in one.branch)
    ]
    if not found:
        return
    end = found[0][1]
    also = "" if len(found) == 1 else f" ({many(len(found), 'such branch', 'such branches')})"
    yield Spot(
        at=end,
        message=(
            f"this residual branch ends in a {end.op} before the addition{also}: it is never "
            "negative, so the block can only add to its input and take nothing back."
        ),
        measured={"op": end.op, "branches": [other.path for _, other in found]},
        fix="take it away, or put it behind the addition.",
        edits=tuple(
            Edit(path=other.path, argument=None)
            for _, other in found
            if other.module in ("ReLU", "ReLU6", "Sigmoid", "Hardsigmoid", "Softplus")
            and sum(layer.path == other.path for layer in trace) == 1
        ),
    )
