"""NA508 dropout-before-batch-norm

## What it finds

Dropout whose output reaches a batch norm through one layer at most.

## Why it is bad

Dropout keeps the mean of what passes and raises its variance in training; in evaluation it does
nothing. The batch norm behind it has learnt the variance of training, and in evaluation divides
what is smaller by it: every layer after that is off. With share p the variance of a unit of mean 0
shifts by 1 / (1 − p).

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.Dropout(0.5),
    nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

Fires at `3`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

## How it is measured

From a dropout whose share is not 0 forward, through activations, pools, reshapes and one
convolution or dense layer, to a batch norm.

## Limits

Wide residual networks drop between the two convolutions of a block by design; the shift is there
too, and small, since the layer behind is wide (Li et al., figure 4). It is a note, not a verdict.
Behind a sum with a skip the shift is diluted, and not looked for.

## References

Li, Chen, Hu and Yang, "Understanding the disharmony between dropout and batch normalization by
variance shift" (arXiv 1801.05134), equations 8 to 12 and table 1.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.ends import DROPOUTS
from striate.checking.graph import ACTIVATIONS, POOLS, RESHAPES, SAME, Graph, is_weighted
from striate.checking.rule import Spot
from striate.checking.words import percent, place
from striate.records import Layer, Severity, Trace

CODE = "NA508"
NAME = "dropout-before-batch-norm"
SEVERITY: Severity = "info"

PASSED = (
    ACTIVATIONS | POOLS | RESHAPES | SAME | {"adaptive_avg_pool2d", "adaptive_max_pool2d", "mean"}
)


def find(trace: Trace) -> Iterator[Spot]:
    """Dropouts with a batch norm close behind."""
    graph = Graph(trace)
    for layer in trace:
        share = float(layer.attrs.get("p", 0.0)) if layer.op in DROPOUTS else 0.0
        norm = _norm_behind(graph, layer) if 0 < share < 1 and graph.sees_image(layer) else None
        if norm is None:
            continue
        yield Spot(
            at=layer,
            message=(
                f"{percent(share)} of this output is dropped in training, which raises its "
                f"variance up to {1 / (1 - share):.2g} times; the batch norm {place(norm.path)} "
                "learns that variance, and meets another in evaluation."
            ),
            measured={"p": share, "norm": norm.path},
            fix="drop behind the last batch norm only, before the classifier.",
        )


def _norm_behind(graph: Graph, dropout: Layer) -> Layer | None:
    weighted = 0
    waiting = [(user, 0) for user in graph.users(dropout)]
    while waiting:
        layer, weighted = waiting.pop()
        if layer.op == "batch_norm":
            return layer
        if is_weighted(layer) and weighted == 0:
            weighted = 1
        elif layer.op not in PASSED:
            continue
        waiting += [(user, weighted) for user in graph.users(layer)]
    return None
