"""AF704 uneven-gradients

## What it finds

A network whose first layers get gradients ten thousand times smaller, or larger, for their weights
than its last layers.

## Why it is bad

One rate moves all layers. Where gradients vanish on their way down, the first layers stay as they
were initialised, and all that follows works on random features; where they explode, the first
layers are thrown about by a step that is right for the last. Both grow with depth, and both are
what norms, skips and careful starts are for.

## Bad

```python
import torch
from torch import nn

def block(width):
    return nn.Sequential(nn.Linear(width, 32), nn.Sigmoid())

def network(scale):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), block(192), *[block(32) for _ in range(3)], nn.Linear(32, 10))
    with torch.no_grad():
        for number in range(1, 5):
            net[number][0].weight *= scale
    return net

start, net = network(0.1), network(10)
image = (3, 8, 8)
```

Fires at `1.0`.

## Good

```python
import torch
from torch import nn

def block(width):
    return nn.Sequential(nn.Linear(width, 32), nn.GELU())

def network(scale):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), block(192), *[block(32) for _ in range(3)], nn.Linear(32, 10))
    with torch.no_grad():
        for number in range(1, 5):
            net[number][0].weight *= scale
    return net

start, net = network(1), network(10)
image = (3, 8, 8)
```

## How it is measured

‖gradient‖ / ‖weight‖ of each weight, on one batch of the run's validation images: of the network
as it was before step 1, in training mode, where it can be made again, else of the trained one. The
median over the first third of the weights, in the order of the forward, against that over the last
third. Weights whose gradient is exactly zero are left out: a branch behind a norm that starts at
zero has none at first, by design. Found beyond a factor of 10,000, or where one is not finite.

## Limits

An optimiser that scales each gradient (Adam) hides much of it, until the smallest are lost in its
epsilon. One batch is a sample.

## References

Glorot and Bengio (AISTATS 2010), figure 7. You, Gitman and Ginsburg, "Large batch training of
convolutional networks" (arXiv 1708.03888), section 4, on the ratio of weight and gradient norms.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from statistics import median

from striate.checking.rule import Given, Spot
from striate.checking.words import place
from striate.records import Gradient, Layer, Severity, Trace

CODE = "AF704"
NAME = "uneven-gradients"
SEVERITY: Severity = "warning"
ASKS = ("health",)
SILENT_IF = ("AF708",)  # nothing that was measured holds then

FACTOR = 1e4
FEWEST = 4  # weights


def find(trace: Trace, given: Given) -> Iterator[Spot]:
    """The first weight of a network whose gradients vanish or explode on their way to it."""
    if given.health is None or not trace.layers:
        return
    at_start = bool(given.health.started)
    order = {path: number for number, path in enumerate(dict.fromkeys(one.path for one in trace))}
    gradients = given.health.started or given.health.ended
    gradients = tuple(one for one in gradients if one.gradient > 0 or not isfinite(one.gradient))
    gradients = tuple(sorted(gradients, key=lambda one: order.get(one.path, len(order))))
    broken = next((one for one in gradients if not isfinite(one.gradient)), None)
    if broken is None and len(gradients) < FEWEST:
        return
    third = max(1, len(gradients) // 3)
    first, last = (_ratio(part) for part in (gradients[:third], gradients[-third:]))
    factor = first / last if last else 0.0
    if broken is None and 1 / FACTOR < factor < FACTOR:
        return
    worst = broken or gradients[0]
    when = "before step 1" if at_start else "after training"
    if broken is not None:
        message = f"the gradient of {place(worst.path)} is not finite {when}."
    else:
        kind = "vanish" if factor < 1 else "explode"
        message = (
            f"gradients {kind} {when}: for their weights, those of the first {third} layers are "
            f"{factor:.0e} of those of the last {third}."
        )
    yield Spot(
        at=_layer(trace, worst.path),
        message=message,
        measured={"first": first, "last": last, "weights": len(gradients)},
        fix="put a norm before each activation, add skips, or use ReLU with its own start.",
    )


def _ratio(gradients: tuple[Gradient, ...]) -> float:
    return median(one.gradient / one.weight if one.weight else 0.0 for one in gradients)


def _layer(trace: Trace, path: str) -> Layer:
    return next((layer for layer in trace if layer.path == path), trace.layers[0])
