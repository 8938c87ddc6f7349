"""RE407 branch-not-zero

## What it finds

Residual branches that do not begin near zero: the norm that ends the branch begins with a scale of
one, so that before the first step every block already adds as much as it is given.

## Why it is bad

If the last norm of each branch begins with a scale of zero, every block begins as the identity,
and the network as a shallow one that deepens as it learns. Warm-up gets easier, large batches stay
stable, and a little accuracy comes with it: Goyal et al. measured a lower error with 256 and with
8192 images in a step, and the more so with many.

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

    def forward(self, x):
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        return (x + y).relu()

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

Fires at `2.norm2`.

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
        nn.init.zeros_(self.norm2.weight)

    def forward(self, x):
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        return (x + y).relu()

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

## How it is measured

While the network is made, what its constructors write into the parameters is listened to (or read
from the weights, where there are any). The norm that ends a branch counts when its scale is known
to begin as one number, and that is not near zero. One finding is made for the network, at the
first such norm.

## Limits

A branch that ends in a scale of its own (layer scale), in a convolution, or in weights of which
nothing is known is not judged. After training the scales are what they were trained to.

## References

Goyal et al., "Accurate, large minibatch SGD" (arXiv 1706.02677), section 5.1 and table 2b. He et
al., "Bag of tricks for image classification" (arXiv 1812.01187), table 4.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import SAME, Graph
from striate.checking.residual import sums
from striate.checking.rule import Spot
from striate.checking.words import many
from striate.records import Layer, Severity, Trace

CODE = "RE407"
NAME = "branch-not-zero"
SEVERITY: Severity = "info"
OPT_IN = True

NEAR_ZERO = 0.1
ENDS = frozenset({"batch_norm", "group_norm", "instance_norm"})


def find(trace: Trace) -> Iterator[Spot]:
    """The first norm that ends a branch and does not begin near zero, with all others."""
    graph = Graph(trace)
    found: list[tuple[Layer, float]] = []
    for one in sums(graph, trace):
        end = graph.back(one.tail, SAME)
        scale = trace.constants.get(f"{end.path}.weight") if end.op in ENDS else None
        if scale is not None and abs(scale) > NEAR_ZERO:
            found.append((end, scale))
    if not found:
        return
    first, scale = found[0]
    yield Spot(
        at=first,
        message=(
            f"the norm that ends {many(len(found), 'residual branch', 'residual branches')} begins "
            f"with a scale of {scale:g}: at the start every such block adds as much as it is given."
        ),
        measured={"scale": scale, "norms": [layer.path for layer, _ in found]},
        fix="begin with zero: nn.init.zeros_(norm.weight) for the last norm of each branch.",
    )
