"""SH112 never-reduced

## What it finds

A classifier whose layers grow wider while its maps stay as large as the image, or half of it.

## Why it is bad

A convolution costs positions times width times width. Networks halve the map where they double the
width, so that every stage costs about the same; without the halving each doubling costs four times
as much as the stage before. The field stays small too, and the last features, hundreds for each
position, are averaged over thousands of positions that all look at nearly the same.

## Bad

```python
from torch import nn

def conv(given, out):
    weights = nn.Conv2d(given, out, 3, padding=1, bias=False)
    return nn.Sequential(weights, nn.BatchNorm2d(out), nn.ReLU())

net = nn.Sequential(
    conv(3, 16), conv(16, 16), conv(16, 32), conv(32, 32), conv(32, 64), conv(64, 64),
    conv(64, 64), conv(64, 64), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
image = (3, 32, 32)
```

Fires at `2.0`.

## Good

```python
from torch import nn

def conv(given, out):
    weights = nn.Conv2d(given, out, 3, padding=1, bias=False)
    return nn.Sequential(weights, nn.BatchNorm2d(out), nn.ReLU())

net = nn.Sequential(
    conv(3, 16), conv(16, 16), nn.MaxPool2d(2), conv(16, 32), conv(32, 32), nn.MaxPool2d(2),
    conv(32, 64), conv(64, 64), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
image = (3, 32, 32)
```

## How it is measured

Four or more convolutions beyond 1×1, the last of which hands on at least twice the channels of the
first, on a map that has more than a third of the image's height and width, and more than 8×8
positions. The finding stands at the first convolution whose width has grown by more than the map
has shrunk when it is read; the price is what halving the map at each doubling would save.

## Limits

Networks of one width throughout (ConvMixer) trade resolution for width on purpose, and networks
that end in a map need it; both are silent. What a stride would cost in accuracy is not known here.

## References

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (arXiv 1512.03385), section
3.3: "if the feature map size is halved, the number of filters is doubled so as to preserve the time
complexity per layer".
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from striate.checking.graph import Graph, is_map, is_spatial_conv, map_size
from striate.checking.rule import Spot
from striate.checking.words import count, percent, sides
from striate.records import Layer, Price, Severity, Trace

CODE = "SH112"
NAME = "never-reduced"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401", "SH104")

LEAST_CONVOLUTIONS = 4
LEAST_GROWTH = 2
LARGE = 1 / 3
SMALL = 8  # positions on a side; so few are not worth a word


def find(trace: Trace) -> Iterator[Spot]:
    """The first convolution that widens on an undiminished map, with the price of all."""
    graph = Graph(trace)
    convs = [
        one
        for one in trace
        if is_spatial_conv(one) and is_map(one) and graph.sees_image(one) and not one.gate
    ]
    if len(convs) < LEAST_CONVOLUTIONS or any(
        is_map(end) and max(map_size(end)) > 1 for end in graph.sinks(trace.layers[0])
    ):
        return
    first, last = convs[0], convs[-1]
    growth = last.shape[1] / first.shape[1]
    image = trace.image[1:]
    large = all(n > max(SMALL, LARGE * side) for n, side in zip(map_size(last), image, strict=True))
    if growth < LEAST_GROWTH or not large:
        return
    saved = sum(round((one.macs or 0) * _saved(one, first, image)) for one in trace if is_map(one))
    wider = _first_unpaid(graph, convs)
    yield Spot(
        at=wider,
        message=(
            f"the width grows from {first.shape[1]} to {last.shape[1]} channels, and the map is "
            f"still {sides(map_size(last))} of a {sides(image)} image at the last convolution: "
            f"halving it at each doubling would save {count(saved)} of "
            f"{count(trace.totals.macs)} MACs ({percent(saved / max(1, trace.totals.macs))})."
        ),
        measured={
            "map": list(map_size(last)),
            "image": list(image),
            "channels": [first.shape[1], last.shape[1]],
        },
        price=Price(macs=saved),
        fix="give the convolutions that widen stride=2 (and their skips), or pool before them.",
    )


def _first_unpaid(graph: Graph, convs: list[Layer]) -> Layer:
    """The first convolution that widened by more than the map has shrunk when it is read next."""
    first = convs[0]
    for one, following in pairwise([*convs, convs[-1]]):
        source = graph.source(following) if following is not one else one
        if source is None or not is_map(source):
            continue
        shrunk = min(n / m for n, m in zip(map_size(first), map_size(source), strict=True))
        if one.shape[1] / first.shape[1] > shrunk:
            return one
    return convs[-1]


def _saved(layer: Layer, first: Layer, image: tuple[int, ...]) -> float:
    """The share of its MACs that a map halved as often as the width doubled would save."""
    wider = max(1.0, layer.shape[1] / first.shape[1])
    smaller = min(n / side for n, side in zip(image, map_size(layer), strict=True))
    return max(0.0, 1 - (smaller / max(wider, smaller)) ** 2)
