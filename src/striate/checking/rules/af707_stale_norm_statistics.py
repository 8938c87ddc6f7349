"""AF707 stale-norm-statistics

## What it finds

A network that is far better when its batch norms use the statistics of the batch at hand than
with those they have kept.

## Why it is bad

In evaluation batch norm uses running means of what it saw in training. If those do not fit, every
layer behind is off, and the network that was trained is not the one that is used. The running
means lag behind a rate that is high to the end, are noise after few steps or small batches, mix
two kinds of images, or were trained with a dropout before them ([NA508](na508.md)).

## Bad

```python
import torch
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 1, bias=False), nn.BatchNorm2d(16), nn.GELU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3),
)
with torch.no_grad():
    net[0].weight.copy_(torch.eye(3).repeat(6, 1)[:16].reshape(16, 3, 1, 1))
    net[1].running_mean += torch.tensor([-9.0, 0.0, 0.0]).repeat(6)[:16]
    net[5].weight.copy_(torch.eye(3).repeat(1, 6)[:, :16])
    net[5].bias.zero_()
image = (3, 8, 8)
labels = "brightest"
```

Fires at `1`.

## Good

```python
import torch
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 1, bias=False), nn.BatchNorm2d(16), nn.GELU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3),
)
with torch.no_grad():
    net[0].weight.copy_(torch.eye(3).repeat(6, 1)[:16].reshape(16, 3, 1, 1))
    net[5].weight.copy_(torch.eye(3).repeat(1, 6)[:, :16])
    net[5].bias.zero_()
image = (3, 8, 8)
labels = "brightest"
```

## How it is measured

Top-1 over a sample of the run's validation images, with the kept statistics and with the batch's
own. Found where the second is better by 10 points, and by three standard errors of the images that
could differ. The place is the first batch norm.

## Limits

It does not say which norm is off. The batch's own statistics serve for measuring alone: with them
an image's answer depends on its neighbours.

## References

Ioffe and Szegedy, "Batch normalization" (arXiv 1502.03167), algorithm 2. Wu and Johnson,
"Rethinking 'batch' in BatchNorm" (arXiv 2105.07576), section 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from striate.checking.rule import Given, Spot
from striate.checking.words import many, percent
from striate.records import Severity, Trace

CODE = "AF707"
NAME = "stale-norm-statistics"
SEVERITY: Severity = "warning"
ASKS = ("health",)
SILENT_IF = ("AF708",)  # nothing that was measured holds then

GAIN, ERRORS = 0.1, 3


def find(trace: Trace, given: Given) -> Iterator[Spot]:
    """The first batch norm of a network whose norms have kept what does not fit."""
    health = given.health
    norm = next((layer for layer in trace if layer.op == "batch_norm"), None)
    if health is None or norm is None:
        return
    if health.accuracy is None or health.batch_accuracy is None:
        return
    gain = health.batch_accuracy - health.accuracy
    if gain < GAIN or gain < ERRORS * sqrt(gain / health.images):  # as if each differed one way
        return
    yield Spot(
        at=norm,
        message=(
            f"{percent(health.accuracy)} of {many(health.images, 'image')} are right with the "
            f"statistics that the batch norms have kept, {percent(health.batch_accuracy)} with "
            "those of the images themselves."
        ),
        measured={
            "accuracy": health.accuracy,
            "batch_accuracy": health.batch_accuracy,
            "images": health.images,
        },
        fix=(
            "train on with a lower rate and larger batches, or estimate the statistics anew on the "
            "training images."
        ),
    )
