"""AF708 not-finite

## What it finds

A trained network whose outputs are not numbers.

## Why it is bad

A weight that is NaN or infinite makes every answer NaN, and the class that is then reported is
whichever comes first. Nothing else that could be measured of such a network means anything, and
nothing of it can be used.

## Bad

```python
import torch
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
with torch.no_grad():
    net[0].weight[3, 0, 0, 0] = float("nan")
image = (3, 8, 8)
```

Fires at `1`.

## Good

```python
import torch
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 8, 8)
```

## How it is measured

The logits of a sample of the run's validation images are not all finite. The place is the first
activation or sum whose output is not; the layer before it, or its weights, are to blame.

## Limits

It is measured in single precision: what overflows in half precision alone is not seen.

## References

Micikevicius et al., "Mixed precision training" (arXiv 1710.03740), on where numbers overflow.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.rule import Given, Spot
from striate.checking.words import many
from striate.records import Severity, Trace

CODE = "AF708"
NAME = "not-finite"
SEVERITY: Severity = "error"
ASKS = ("health",)


def find(trace: Trace, given: Given) -> Iterator[Spot]:
    """Where the first number is lost."""
    health = given.health
    if health is None or health.spread is not None or not trace.layers:
        return
    path = health.broken[0] if health.broken else None
    place = next((layer for layer in trace if layer.path == path), trace.layers[-1])
    yield Spot(
        at=place,
        message=(
            f"the logits of {many(health.images, 'image')} are not finite; here is where the first "
            "number is lost."
        ),
        measured={"images": health.images, "broken": list(health.broken)},
        fix="train again with a lower rate, a longer warmup, or gradients that are clipped.",
    )
