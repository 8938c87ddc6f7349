"""AF705 first-loss

## What it finds

A run whose first loss is far from that of guessing.

## Why it is bad

Before it has learnt anything a classifier should give all of K classes alike: a loss of log K,
2.30 for ten. If the first loss is much higher, the network begins by being sure and wrong, and the
first epochs, at their high rates, go into unlearning it: the last layer's weights are too large,
its inputs are not normalised, or labels and logits do not mean the same. If it is much lower, the
network knows the answer already: weights were loaded, or the labels leak into the images.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 8, 8)
first_loss = 9.7
```

Fires at `4`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 8, 8)
first_loss = 2.41
```

## How it is measured

The loss of step 1, which is taken before the weights change, less log K. Found beyond 1, that is
where the right class has less than a third of its fair share, or nearly three times it, on
average. The place is the last layer.

## Limits

One batch is a sample: with few images and few classes it varies. A run that begins from trained
weights should begin low.

## References

Karpathy, "A recipe for training neural networks" (2019): "verify loss @ init".
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log

from striate.checking.ends import last_layer
from striate.checking.rule import Given, Spot
from striate.records import Severity, Trace

CODE = "AF705"
NAME = "first-loss"
SEVERITY: Severity = "warning"
ASKS = ("health",)

FAR = 1.0  # in nats


def find(trace: Trace, given: Given) -> Iterator[Spot]:
    """The last layer of a network that does not begin with a guess."""
    health = given.health
    if health is None or health.first_loss is None or health.classes < 2 or not trace.layers:
        return
    guess = log(health.classes)
    off = health.first_loss - guess
    if abs(off) <= FAR:
        return
    fix = (
        "normalise the images, start the last layer near zero, and look whether labels are those "
        "of the data."
        if off > 0
        else "look whether weights were loaded, and whether an image tells its label."
    )
    yield Spot(
        at=last_layer(trace),
        message=(
            f"the first loss was {health.first_loss:.2f}, where guessing among {health.classes} "
            f"classes gives {guess:.2f}: the network {'is sure and wrong' if off > 0 else 'knew'} "
            "before it was trained."
        ),
        measured={"first_loss": health.first_loss, "guessing": round(guess, 4)},
        fix=fix,
    )
