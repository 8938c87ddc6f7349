"""NA504 linear-linear

## What it finds

Two linear operations in a row, convolution or dense, with nothing nonlinear between them, where
the channels between are no narrower than both ends.

## Why it is bad

A linear map of a linear map is a linear map: one layer could do what the two do. The depth, the
parameters and the multiply-accumulates of the second buy no expressive power. As a rule an
activation was forgotten.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16),
    nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

Fires at `2`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

## How it is measured

From a convolution or dense layer back to the one before it, through what is affine for each
channel (batch norm, dropout), average pooling, and a flatten before a dense layer; nothing else
may read what lies between. Pairs that are a deliberate factorisation of one larger map are
silent:

- a narrow middle (fewer channels than at both ends): low-rank pairs, except in a squeeze gate;
- two 1×1 convolutions that do not widen and then widen: the linear bottleneck of MobileNet v2,
  where a projection meets the next block's expansion;
- groups in either: depthwise and pointwise, as in MobileNet v1 without its first activation, or
  Xception;
- kernels along one axis each, 1×7 and 7×1.

The price is what one layer in place of the two would save. Two 3×3 kernels make one of 5×5, which
saves nothing: what is lost there is the activation.

## Limits

Layer, group and instance norm divide by what they measure on each image, so they count as
nonlinear here. An activation that was forgotten behind them, beside a depthwise convolution, or
where a skip reads too, is looked for by [NA515](na515.md), which compares the network's blocks.

## References

Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks" (arXiv 1801.04381),
section 3.2, on when to leave the nonlinearity out. Chollet, "Xception" (arXiv 1610.02357),
section 4.7.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from striate.checking.graph import DENSE, Graph, channels, is_map, kernel, pair
from striate.checking.linear import is_factorised, linear_before
from striate.checking.rule import Spot
from striate.checking.words import place
from striate.records import Layer, Price, Severity, Trace

CODE = "NA504"
NAME = "linear-linear"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")  # who else reads an output is not known then


def find(trace: Trace) -> Iterator[Spot]:
    """Second members of linear pairs."""
    graph = Graph(trace)
    for layer in trace:
        first = linear_before(graph, layer)
        if first is None or is_factorised(first, layer):
            continue
        params, macs = _saved(first, layer)
        width_in, middle = channels(first)
        width_out = channels(layer)[1]
        yield Spot(
            at=layer,
            message=(
                f"nothing nonlinear lies between {place(first.path)} and this "
                f"{'dense layer' if layer.op in DENSE else 'convolution'}: {width_in} → {middle} → "
                f"{width_out} channels in two layers can do no more than {width_in} → {width_out} "
                "in one."
            ),
            measured={
                "first": first.path,
                "channels": [width_in, middle, width_out],
                "params": first.params + layer.params,
            },
            price=Price(params=params, macs=macs),
            fix=f"put an activation behind {place(first.path)}, or make one layer of the two.",
        )


def _saved(first: Layer, second: Layer) -> tuple[int, int]:
    """Parameters and MACs that one layer in place of the two would save; (0, 0) if none."""
    if "conv_transpose2d" in (first.op, second.op):
        return 0, 0  # what the two are in one depends on their strides
    if is_map(first) and second.op in DENSE:
        return 0, 0  # the one layer is as large as the map it reads
    reach = [
        kernel(first)[axis] + (kernel(second)[axis] - 1) * pair(first, "stride", 1)[axis]
        for axis in (0, 1)
    ]
    weights = channels(first)[0] * channels(second)[1] * prod(reach)
    biases = channels(second)[1] if second.attrs.get("bias") else 0
    macs = weights * prod(second.shape) // max(1, second.shape[1])
    if second.op in DENSE:
        macs = weights * prod(second.shape[:-1])
    params = first.params + second.params - weights - biases
    before = (first.macs or 0) + (second.macs or 0)
    return max(0, params), max(0, before - macs)
