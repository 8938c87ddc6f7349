"""SH107 misaligned-merge

## What it finds

Maps that are added or concatenated although the same place in them is not the same place of the
image: their fields lie a whole position or more apart.

## Why it is bad

The shapes fit, so nothing complains; but what is put together at one position was seen beside it.
The layers behind must undo a shift that differs from merge to merge, edges are drawn twice, and in
segmentation the outline moves. As a rule a map was cropped at one corner instead of around its
middle, or padded on one side.

## Bad

```python
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 5)
        self.last = nn.Conv2d(32, 2, 1)

    def forward(self, x):
        x = self.first(x).relu()
        y = self.second(x).relu()
        return self.last(torch.cat([x[:, :, :28, :28], y], 1))

net = nn.Sequential(Net())
image = (3, 32, 32)
```

Fires at `0`.

## Good

```python
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 5)
        self.last = nn.Conv2d(32, 2, 1)

    def forward(self, x):
        x = self.first(x).relu()
        y = self.second(x).relu()
        return self.last(torch.cat([x[:, :, 2:30, 2:30], y], 1))

net = nn.Sequential(Net())
image = (3, 32, 32)
```

## How it is measured

The centre of a position's field is where it looks. At every sum and concatenation of maps, the
centres of the first and of the last position are compared between the inputs, per axis; the rule
fires when they differ by as much as two neighbouring positions do. Half a position is what even
kernels and 2×2 pools make, and is common (ResNet-D).

## Limits

Only fields that are known exactly and evenly apart are compared: what was upsampled, or passed
attention, is left out.

## References

Ronneberger, Fischer and Brox, "U-Net" (arXiv 1505.04597), figure 1, on cropping before the
concatenation. Araujo, Norris and Sim, "Computing receptive fields of convolutional neural
networks" (Distill, 2019, doi 10.23915/distill.00021), on alignment.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import Graph, is_map, map_size
from striate.checking.rule import Spot
from striate.checking.words import place
from striate.records import Field, Layer, Severity, Trace

CODE = "SH107"
NAME = "misaligned-merge"
SEVERITY: Severity = "warning"

MERGES = frozenset({"add", "sub", "cat"})


def find(trace: Trace) -> Iterator[Spot]:
    """Merges whose inputs look a position or more beside each other."""
    graph = Graph(trace)
    for layer in trace:
        sources = graph.sources(layer)
        if layer.op not in MERGES or layer.gate or len(sources) < 2 or not is_map(layer):
            continue
        if any(not is_map(one) or map_size(one) != map_size(layer) for one in sources):
            continue
        known = [(one, one.field) for one in sources if _is_plain(one.field)]
        found = _furthest(known, map_size(layer))
        if found is None:
            continue
        first, second, apart, step = found
        yield Spot(
            at=layer,
            message=(
                f"{_named(first, second)} and {_named(second, first)} are put together here, and "
                f"look {apart:g} px beside each other in the image (neighbouring positions: "
                f"{step:g} px)."
            ),
            measured={
                "apart_px": apart,
                "stride_px": step,
                "inputs": [first.path, second.path],
                "map": list(map_size(layer)),
            },
            fix=(
                "crop or pad both sides alike (the same number of rows and columns at either "
                "edge), so that the maps stay centred on each other."
            ),
        )


def _named(layer: Layer, other: Layer) -> str:
    """Its path, or its operation where both have one path."""
    return place(layer.path) if layer.path != other.path else f"the output of {layer.op}"


def _is_plain(field: Field | None) -> bool:
    return field is not None and field.status == "exact" and field.spans is None


def _furthest(
    known: list[tuple[Layer, Field | None]], size: tuple[int, int]
) -> tuple[Layer, Layer, float, float] | None:
    """The two inputs that look furthest apart, if by a whole position; with that position."""
    worst: tuple[Layer, Layer, float, float] | None = None
    for at, (first, one) in enumerate(known):
        for second, other in known[at + 1 :]:
            assert one is not None
            assert other is not None
            for axis in (0, 1):
                step = float(max(one.stride[axis], other.stride[axis]))
                apart = max(
                    abs(_centre(one, axis, index) - _centre(other, axis, index))
                    for index in (0, size[axis] - 1)
                )
                if apart >= step and (worst is None or apart > worst[2]):
                    worst = (first, second, apart, step)
    return worst


def _centre(field: Field, axis: int, index: int) -> float:
    return sum(field.span(axis, index)) / 2
