"""RE409 skip-missing

## What it finds

A block without its skip among blocks of the same class that have theirs, where the shapes would
allow one.

## Why it is bad

The block was drawn as a residual one, and what it keeps of its input is not added. It must learn
to copy what it should only correct, and the gradient of every block before it passes through its
weights: one such block breaks the identity for the whole network.

## Bad

```python
from torch import nn

class Block(nn.Module):
    def __init__(self, skip=True):
        super().__init__()
        self.conv1 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(16)
        self.skip = skip

    def forward(self, x):
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        return (x + y if self.skip else y).relu()

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block(), Block(), Block(skip=False), Block(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

Fires at `4`.

## Good

```python
from torch import nn

class Block(nn.Module):
    def __init__(self, skip=True):
        super().__init__()
        self.conv1 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(16)
        self.skip = skip

    def forward(self, x):
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        return (x + y if self.skip else y).relu()

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block(), Block(), Block(), Block(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

## How it is measured

Modules of one class in one parent (one stage) that are called once and hand on a map of the shape
they are given. Where two or more of them, and more than of the others, end in a residual sum of
their own, those without one are reported.

## Limits

A stage of which all blocks lack the skip is taken for meant (the last one of CSPNeXt, the first of
EfficientNet-EdgeTPU); a plain network is judged by its depth, in RE402. A block that changes the
shape has no identity to miss.

## References

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (arXiv 1512.03385), section
3.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from striate.checking.graph import Graph, is_map, is_weighted
from striate.checking.modules import is_in, owner
from striate.checking.residual import sums
from striate.checking.rule import Spot
from striate.checking.words import many, place
from striate.records import Layer, Severity, Trace

CODE = "RE409"
NAME = "skip-missing"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")

LEAST = 2  # blocks that show how it is meant


def find(trace: Trace) -> Iterator[Spot]:
    """Blocks without a skip whose equals have one."""
    graph = Graph(trace)
    joins = {one.join.path for one in sums(graph, trace)}
    stages: dict[tuple[str, str], list[str]] = {}
    for path, kind in trace.modules.items():
        stages.setdefault((owner(path), kind), []).append(path)
    for (_, kind), paths in stages.items():
        having = [path for path in paths if path and path in joins]
        if len(having) < LEAST:
            continue
        lacking = [path for path in paths if path and path not in joins]
        kept = {path: layers for path in lacking if (layers := _body(graph, path))}
        if not kept or len(kept) >= len(having):
            continue
        for path, layers in kept.items():
            yield Spot(
                at=replace(layers[0], path=path, defined=trace.defined.get(path)),
                message=(
                    f"this {kind} adds nothing to its input, while {many(len(having), 'other')} "
                    f"({place(having[0])} …) do; its output has the shape of its input, so that a "
                    "skip would fit."
                ),
                measured={"class": kind, "with_skip": having, "without": list(kept)},
                fix="add the block's input to its output, as the others do.",
            )


def _body(graph: Graph, path: str) -> list[Layer]:
    """The layers of a block that could have a skip; empty for one that could not."""
    layers = [layer for layer in graph.trace if is_in(layer.path, path)]
    if sum(is_weighted(layer) for layer in layers) < LEAST:
        return []
    own = {layer.index for layer in layers}
    given = {
        source.index
        for layer in layers
        for source in graph.sources(layer)
        if source.index not in own
    }
    if len(given) != 1 or layers[-1].index - layers[0].index != len(layers) - 1:
        return []
    source = graph[given.pop()]
    fits = is_map(source) and source.shape == layers[-1].shape
    return layers if fits else []
