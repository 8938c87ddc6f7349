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
attention and selective kernels put one by design and train it with large batches. Where the batch
is given (`--batch 1`) and is one image, gates and plain features, (N, C), are found too.

## Limits

A batch norm over plain features, (N, C), has the same number of values and is silent unless the
batch is one: in a perceptron it is usual, and trains well on many images at once. Whether the maps
are so small because the image is, [SH101](sh101.md) says.

## References

Ioffe and Szegedy, "Batch normalization" (arXiv 1502.03167), section 3.2; Wu and He, "Group
normalization" (arXiv 1803.08494), figure 1, on batch norm's error with few values.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from striate.checking.graph import Graph
from striate.checking.rule import Given, Spot
from striate.checking.words import sides
from striate.records import Severity, Trace

CODE = "NA502"
NAME = "batch-norm-of-one-value"
SEVERITY: Severity = "warning"
ASKS = ()  # the batch, if it is known
SILENT_IF = ("SH101",)  # which says where the maps went


def find(trace: Trace, given: Given) -> Iterator[Spot]:
    """Batch norms with nothing to take a mean over but the batch."""
    graph = Graph(trace)
    alone = given.batch == 1
    for layer in trace:
        if layer.op != "batch_norm" or not graph.sees_image(layer):
            continue
        pixels = layer.shape[2:]
        if prod(pixels) > 1 or not (alone or (pixels and not layer.gate)):
            continue
        yield Spot(
            at=layer,
            message=(
                f"{f'the maps are {sides(pixels)} here' if pixels else 'there is no map here'}: "
                f"this batch norm has one value of each of its {layer.shape[1]} channels for each "
                f"image, and cannot train on a batch of one{', which this is' if alone else ''}."
            ),
            measured={"channels": layer.shape[1], "values_per_image": 1},
            fix=(
                "give the layer before it a bias and no norm, take a layer norm, or put the "
                "convolution and its norm before the pool."
            ),
        )
