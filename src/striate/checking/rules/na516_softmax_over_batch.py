"""NA516 softmax-over-batch

## What it finds

A softmax or log-softmax along the batch.

## Why it is bad

The probabilities of one image should sum to 1; along dimension 0 it is those of one class over the
images of the batch that do. An image's answer then depends on its neighbours, a batch of one
always gets 1 for every class, and the loss rewards spreading a class evenly over the batch.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10), nn.Softmax(dim=0),
)
image = (3, 32, 32)
```

Fires at `6`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

## How it is measured

Its dimension is 0, and its output has as many rows there as there are images. Without a dimension
PyTorch takes 0 for tensors of one or three dimensions, with a warning.

## Limits

Where a network moves the batch to another place first, what lies at dimension 0 is not the batch;
it is taken for it only if it is as long.

## References

PyTorch, `torch.nn.functional.softmax`: "dim: a dimension along which softmax will be computed".
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import Graph
from striate.checking.rule import Spot
from striate.checking.words import sides
from striate.records import Edit, Severity, Trace

CODE = "NA516"
NAME = "softmax-over-batch"
SEVERITY: Severity = "warning"

MODULES = ("Softmax", "LogSoftmax")


def find(trace: Trace) -> Iterator[Spot]:
    """Softmaxes along dimension 0."""
    graph = Graph(trace)
    images = trace.layers[0].shape[0] if trace.layers else 0
    for layer in trace:
        if layer.op not in ("softmax", "log_softmax") or layer.attrs.get("dim") != 0:
            continue
        if not graph.sees_image(layer) or len(layer.shape) < 2 or layer.shape[0] != images:
            continue
        edit = Edit(path=layer.path, argument="dim", value=1)
        yield Spot(
            at=layer,
            message=(
                f"this {layer.op} runs along dimension 0 of {sides(layer.shape)}, which is the "
                "batch: each image's probabilities depend on the others', and do not sum to 1."
            ),
            measured={"dim": 0, "shape": list(layer.shape)},
            fix="pass dim=1.",
            edits=(edit,) if layer.module in MODULES else (),
        )
