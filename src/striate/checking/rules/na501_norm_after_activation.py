"""NA501 norm-after-activation

## What it finds

A norm that comes after the activation, in a network where most come before it.

## Why it is bad

One order is as usual as the other where it is kept throughout. One block that differs from its
neighbours is, as a rule, two lines that were swapped: what leaves it is centred around zero where
all other blocks hand on what is never negative, its norm's bias shifts the next layer instead of
setting the activation's threshold, and the pair cannot be folded into one convolution for
inference, as a norm straight behind its convolution can.

## Bad

```python
from torch import nn

def block(width, *rest):
    return nn.Sequential(nn.Conv2d(width, 16, 3, padding=1, bias=False), *rest)

net = nn.Sequential(
    block(3, nn.BatchNorm2d(16), nn.ReLU()),
    block(16, nn.BatchNorm2d(16), nn.ReLU()),
    block(16, nn.ReLU(), nn.BatchNorm2d(16)),
    block(16, nn.BatchNorm2d(16), nn.ReLU()),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 16, 16)
```

Fires at `2.2`.

## Good

```python
from torch import nn

def block(width, *rest):
    return nn.Sequential(nn.Conv2d(width, 16, 3, padding=1, bias=False), *rest)

net = nn.Sequential(
    block(3, nn.BatchNorm2d(16), nn.ReLU()),
    block(16, nn.BatchNorm2d(16), nn.ReLU()),
    block(16, nn.BatchNorm2d(16), nn.ReLU()),
    block(16, nn.BatchNorm2d(16), nn.ReLU()),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 16, 16)
```

## How it is measured

Behind each convolution the next two operations that alone read each other: norm then activation,
or activation then norm. The second is found where the first is at least three times as frequent.

## Limits

A network that keeps to the order convolution, activation, norm (ConvMixer) is silent, and so is
one in which the two are mixed half and half.

## References

Ioffe and Szegedy, "Batch normalization" (arXiv 1502.03167), section 3.2, which puts the norm
before the activation; Trockman and Kolter, "Patches are all you need?" (arXiv 2201.09792), which
puts it after, everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import ACTIVATIONS, CONVS, NORMS, SAME, Graph
from striate.checking.rule import Spot
from striate.checking.words import many, place
from striate.records import Layer, Severity, Trace

CODE = "NA501"
NAME = "norm-after-activation"
SEVERITY: Severity = "info"
SILENT_IF = ("SH100", "RE401")  # who else reads an output is not known then

MAKERS = CONVS | {"conv_transpose2d"}
MAJORITY = 3  # as many times as often


def find(trace: Trace) -> Iterator[Spot]:
    """Norms behind an activation, if few."""
    graph = Graph(trace)
    before = 0
    behind: list[tuple[Layer, Layer, Layer]] = []
    for conv in trace:
        if conv.op not in MAKERS or not graph.sees_image(conv) or conv.gate:
            continue
        first = _next(graph, conv)
        second = first and _next(graph, first)
        if first is None or second is None:
            continue
        if first.op in NORMS and second.op in ACTIVATIONS:
            before += 1
        elif first.op in ACTIVATIONS and second.op in NORMS:
            behind.append((conv, first, second))
    if not behind or before < MAJORITY * len(behind):
        return
    for conv, activation, norm in behind:
        yield Spot(
            at=norm,
            message=(
                f"this norm comes after the {activation.op} of {place(conv.path)}; behind "
                f"{many(before, 'other convolution')} the norm comes first."
            ),
            measured={"convolution": conv.path, "norm_first": before, "norm_last": len(behind)},
            fix=f"swap the two: {place(conv.path)}, norm, {activation.op}.",
        )


def _next(graph: Graph, layer: Layer) -> Layer | None:
    """What alone reads it, behind what does nothing."""
    user = graph.only_user(layer)
    while user is not None and user.op in SAME:
        user = graph.only_user(user)
    return user
