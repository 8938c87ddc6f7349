"""NA502 batch-norm-of-one-value

## What it finds

A batch norm over maps that are one pixel large.

## Why it is bad

Batch norm takes its mean and deviation over the images of the batch and the pixels of the map.
Where the map is one pixel the images are all there is: with a batch of one (also the last, smaller
batch of an epoch, and on each of many devices) PyTorch raises "Expected more than 1 value per
channel when training", and with a few the statistics are noise, which evaluation does not have.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Conv2d(16, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
    nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

Fires at `5`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Conv2d(16, 32, 1), nn.ReLU(),
    nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

## How it is measured

The input of a batch norm is (N, C, 1, 1) or (N, C, 1). Silent inside a squeeze gate, where split
attention and selective kernels put one by design and train it with large batches.

## Limits

A batch norm over plain features, (N, C), has the same number of values and is silent: in a
perceptron it is usual, and its user knows what he has. Whether the maps are so small because the
image is, [SH101](sh101.md) says.

## References

Ioffe and Szegedy, "Batch normalization" (arXiv 1502.03167), section 3.2; Wu and He, "Group
normalization" (arXiv 1803.08494), figure 1, on batch norm's error with few values.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from striate.checking.graph import Graph
from striate.checking.rule import Spot
from striate.checking.words import sides
from striate.records import Severity, Trace

CODE = "NA502"
NAME = "batch-norm-of-one-value"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH101",)  # which says where the maps went


def find(trace: Trace) -> Iterator[Spot]:
    """Batch norms with nothing to take a mean over but the batch."""
    graph = Graph(trace)
    for layer in trace:
        if layer.op != "batch_norm" or layer.gate or not graph.sees_image(layer):
            continue
        pixels = layer.shape[2:]
        if not pixels or prod(pixels) > 1:
            continue
        yield Spot(
            at=layer,
            message=(
                f"the maps are {sides(pixels)} here: this batch norm has one value of each of its "
                f"{layer.shape[1]} channels for each image, and cannot train on a batch of one."
            ),
            measured={"channels": layer.shape[1], "values_per_image": 1},
            fix=(
                "give the layer before it a bias and no norm, take a layer norm, or put the "
                "convolution and its norm before the pool."
            ),
        )
