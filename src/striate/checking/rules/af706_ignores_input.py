"""AF706 ignores-input

## What it finds

A trained network that gives nearly the same answer whatever the image.

## Why it is bad

It has learnt how frequent the classes are, and no more. Its accuracy is the largest class's share,
which on unbalanced data can look like success. Dead or saturated layers, a norm that erases its
input, a rate at which the weights were thrown away in the first steps, or images that are all
black once they are normalised, lead there.

## Bad

```python
import torch
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.GELU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
with torch.no_grad():
    net[4].weight *= 1e-4
image = (3, 8, 8)
```

Fires at `4`.

## Good

```python
import torch
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.GELU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 8, 8)
```

## How it is measured

The deviation of each logit over the images, averaged over the logits, and the deviation over the
logits of their means. Found where the first is less than 1 % of the second, or than 0.001 where
both are small, and all images get one class. The place is the last layer.

## Limits

A sample of one class only, or of images that are all alike, would look the same; a run's validation
images are a mixture.

## References

Karpathy, "A recipe for training neural networks" (2019): "input-independent baseline".
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.ends import last_layer
from striate.checking.rule import Given, Spot
from striate.checking.words import many
from striate.records import Severity, Trace

CODE = "AF706"
NAME = "ignores-input"
SEVERITY: Severity = "warning"
ASKS = ("health",)
SILENT_IF = ("AF708",)  # nothing that was measured holds then

SHARE, LEAST = 0.01, 1e-3
FEWEST = 8  # images


def find(trace: Trace, given: Given) -> Iterator[Spot]:
    """The last layer of a network that has one answer."""
    health = given.health
    if health is None or health.spread is None or health.level is None:
        return
    if health.images < FEWEST or sum(count > 0 for count in health.said) != 1:
        return
    if health.spread > max(LEAST, SHARE * health.level) or not trace.layers:
        return
    said = max(range(len(health.said)), key=lambda number: health.said[number])
    yield Spot(
        at=last_layer(trace),
        message=(
            f"all of {many(health.images, 'image')} get class {said}, and a logit varies by "
            f"{health.spread:.1e} over them, where the logits differ by {health.level:.1e}: the "
            "answer does not depend on the image."
        ),
        measured={"spread": health.spread, "level": health.level, "class": said},
        fix="train again with a lower rate, and look at the images as the network gets them.",
    )
