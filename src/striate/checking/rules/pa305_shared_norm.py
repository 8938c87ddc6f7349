"""PA305 shared-norm

## What it finds

One batch norm that is called behind different layers.

## Why it is bad

A batch norm keeps the mean and the variance of what comes by. Two places of a network have
different statistics; one module sees both in turn and keeps a mixture that fits neither. In
training each call uses its own batch and all looks well; in evaluation the kept numbers are used,
and the accuracy falls. Networks that share everything else between repetitions give each its own
norm for this reason.

## Bad

```python
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)

    def forward(self, x):
        return self.norm(self.conv2(self.norm(self.conv1(x)).relu())).relu()

net = nn.Sequential(Block(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))
image = (3, 32, 32)
```

Fires at `0.norm`.

## Good

```python
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.norm2 = nn.BatchNorm2d(16)

    def forward(self, x):
        return self.norm2(self.conv2(self.norm1(self.conv1(x)).relu())).relu()

net = nn.Sequential(Block(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))
image = (3, 32, 32)
```

## How it is measured

Batch norms that ran more than once with the same parameters, each call behind another layer (the
module and the line that called it).

## Limits

Calls behind one and the same layer (two images through one network, one head over a pyramid of
maps) are left alone, although there too one norm for each would often be better. A block that is
repeated whole, norm and all, is PA306's finding. Layer, group and instance norms keep no
statistics, and may be shared.

## References

Jastrzębski, Arpit, Ballas, Verma, Che and Bengio, "Residual connections encourage iterative
inference" (arXiv 1710.04773), section 5, on sharing blocks: statistics must not be shared.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import SAME, Graph
from striate.checking.modules import is_in
from striate.checking.rule import Spot
from striate.records import Layer, Severity, Trace

CODE = "PA305"
NAME = "shared-norm"
SEVERITY: Severity = "warning"


def find(trace: Trace) -> Iterator[Spot]:
    """Batch norms that stand behind several layers."""
    graph = Graph(trace)
    calls: dict[str, list[Layer]] = {}
    for layer in trace:
        if layer.op == "batch_norm" and not layer.strays and (layer.params or layer.shares):
            calls.setdefault(layer.path, []).append(layer)
    for path, met in calls.items():
        if len(met) < 2 or any(is_in(path, repeated) for repeated in trace.aliases):
            continue
        again = [one for one in met[1:] if one.shares]
        places = {_maker(graph, one) for one in (met[0], *again)}
        if not again or len(places) < 2:
            continue
        along = [met[0], *again]
        yield Spot(
            at=along[1],
            message=(
                f"this batch norm is called behind {len(places)} different layers: its running "
                "mean and variance are a mixture of all, and in evaluation fit none of them."
            ),
            measured={"calls": len(along), "behind": sorted(place for place, _ in places)},
            fix="give each place a batch norm of its own.",
        )


def _maker(graph: Graph, layer: Layer) -> tuple[str, str]:
    """The path and the operation of what it norms."""
    source = graph.source(layer)
    source = None if source is None else graph.back(source, SAME)
    return ("", "") if source is None else (source.path, source.op)
