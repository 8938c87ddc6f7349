"""AF702 saturated-units

## What it finds

A sigmoid or tanh of which a quarter or more of the channels stand at an end of the range nearly
everywhere.

## Why it is bad

At the end of its range a unit is a constant: it tells no two images apart, and its slope is so
near zero that no gradient gets through to move it away. Large weights, a rate that was too high,
or inputs that were not normalised brought it there.

## Bad

```python
import torch
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.Tanh(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
with torch.no_grad():
    net[0].bias[:8] = 100.0
image = (3, 8, 8)
```

Fires at `1`.

## Good

```python
import torch
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.Tanh(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
with torch.no_grad():
    net[0].bias[:1] = 100.0
image = (3, 8, 8)
```

## How it is measured

Of each channel behind each sigmoid, hard sigmoid and tanh, the share of positions and images at
which it is within a hundredth of its range of either end. A channel is saturated where that is 99
of 100. Found where a quarter of the channels, and at least four, are.

## Limits

Gates are silent: a gate that is always open lets through what it should. So is a sigmoid that the
network returns, where sure answers are wanted.

## References

Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks"
(AISTATS 2010), figures 2 and 4.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import RESHAPES, SAME, Graph
from striate.checking.rule import Given, Spot
from striate.checking.words import many
from striate.records import Severity, Trace

CODE = "AF702"
NAME = "saturated-units"
SEVERITY: Severity = "warning"
ASKS = ("health",)
SILENT_IF = ("AF708",)  # nothing that was measured holds then

SHARE, FEWEST = 0.25, 4
GATED = frozenset({"mul", "addcmul", "lerp"})


def find(trace: Trace, given: Given) -> Iterator[Spot]:
    """Activations that are stuck at an end."""
    graph = Graph(trace)
    if given.health is None:
        return
    for units in given.health.units:
        if units.saturated < max(FEWEST, SHARE * units.channels) or units.index not in graph:
            continue
        layer = graph[units.index]
        readers = list(graph.readers(layer, SAME | RESHAPES))
        if layer.gate or not readers or any(reader.op in GATED for reader in readers):
            continue
        yield Spot(
            at=layer,
            message=(
                f"{units.saturated} of {many(units.channels, 'channel')} of this {units.op} stand "
                f"at an end of its range on {many(given.health.images, 'image')}: they are "
                "constants, and no gradient moves them."
            ),
            measured={
                "saturated": units.saturated,
                "channels": units.channels,
                "images": given.health.images,
            },
            fix="put a norm before it, use an activation that does not saturate, or a lower rate.",
        )
