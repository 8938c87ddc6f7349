"""RE405 deep-post-activation

## What it finds

64 or more residual blocks in one network with an activation behind every addition.

## Why it is bad

With a ReLU behind each addition the stream is clipped at zero once for every block. In shallow
networks that costs nothing that can be measured; with depth it does. Moving the activations into
the branches (pre-activation) improves ResNet-164 on CIFAR-10 from 5.93 to 5.46 % error, ResNet-1001
from 7.61 to 4.92 %, and on ImageNet ResNet-200 from 21.8 to 20.7 %.

## Bad

```python
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        return (x + self.norm(self.conv(x))).relu()

net = nn.Sequential(
    nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), *[Block() for _ in range(64)],
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10),
)
image = (3, 160, 160)
```

Fires at `2`.

## Good

```python
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(4)
        self.conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)

    def forward(self, x):
        return x + self.conv(self.norm(x).relu())

net = nn.Sequential(
    nn.Conv2d(3, 4, 3, padding=1), *[Block() for _ in range(64)],
    nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10),
)
image = (3, 160, 160)
```

## How it is measured

Sums with an identity skip and an activation behind them are counted along one way through the
network, the one that passes most of them. The bound is the number of blocks of ResNet-200 (66),
the shallowest network on ImageNet for which harm was measured, rounded down to 64.

## Limits

ResNet-200 needed strong regularisation for the difference to show; on small data both overfit
alike.

## References

He, Zhang, Ren and Sun, "Identity mappings in deep residual networks" (arXiv 1603.05027), tables 3
to 5.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import ACTIVATIONS, Graph
from striate.checking.residual import sums
from striate.checking.rule import Spot
from striate.records import Layer, Severity, Trace

CODE = "RE405"
NAME = "deep-post-activation"
SEVERITY: Severity = "warning"

HARMED_FROM = 64  # blocks


def find(trace: Trace) -> Iterator[Spot]:
    """The first block of a network with too many activations on its stream."""
    graph = Graph(trace)
    clipped: list[Layer] = []
    for one in sums(graph, trace):
        user = graph.only_user(one.join)
        if one.is_identity and user is not None and user.op in ACTIVATIONS:
            clipped.append(one.join)
    blocks = _in_a_row(graph, {join.index for join in clipped})
    if blocks < HARMED_FROM:
        return
    yield Spot(
        at=clipped[0],
        message=(
            f"an activation stands behind each of {blocks} additions in a row: the stream is "
            f"clipped once for every block, which costs accuracy from about {HARMED_FROM} blocks "
            "on."
        ),
        measured={"blocks": blocks},
        fix=(
            "use pre-activation blocks (norm, activation and convolution on the branch, nothing "
            "behind the addition), with a norm and an activation after the last."
        ),
    )


def _in_a_row(graph: Graph, joins: set[int]) -> int:
    """The most of ``joins`` that one way through the network passes."""
    passed: dict[int, int] = {}
    for layer in graph.trace:
        most = max((passed[source.index] for source in graph.sources(layer)), default=0)
        passed[layer.index] = most + (layer.index in joins)
    return max(passed.values(), default=0)
