"""FL202 small-field

## What it finds

A network that averages its last map over all positions while each of them has seen less than half
of the image's height and width.

## Why it is bad

No layer ever sees how the parts of a thing lie to each other: the network is a bag of small
patches whose votes are averaged. On ImageNet that costs what it cannot see: at 224 px, a BagNet
with a field of 33 px reaches 87.6 % top-5, and one of 17 px what AlexNet does, where a ResNet-50,
which sees the whole image, reaches 92.9 %. Layers on large maps are also the dear ones.

## Bad

```python
from torch import nn

def conv(given, out):
    weights = nn.Conv2d(given, out, 3, padding=1, bias=False)
    return nn.Sequential(weights, nn.BatchNorm2d(out), nn.ReLU())

net = nn.Sequential(
    conv(3, 16), nn.MaxPool2d(2), conv(16, 32), nn.MaxPool2d(2), conv(32, 64), conv(64, 64),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
image = (3, 96, 96)
```

Fires at `5.0`.

## Good

```python
from torch import nn

def conv(given, out):
    weights = nn.Conv2d(given, out, 3, padding=1, bias=False)
    return nn.Sequential(weights, nn.BatchNorm2d(out), nn.ReLU())

net = nn.Sequential(
    conv(3, 16), nn.MaxPool2d(2), conv(16, 16), nn.MaxPool2d(2), conv(16, 32), nn.MaxPool2d(2),
    conv(32, 32), conv(32, 64), conv(64, 64),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
image = (3, 96, 96)
```

## How it is measured

The receptive field of the map that is pooled to one position, along its widest path, against the
image: less than half on both axes fires. Networks with fewer than four convolutions beyond 1×1 are
too small to be judged.

## Limits

Textures, stains and other things without a shape may need no more: BagNets are built this way on
purpose, to be read patch by patch. Flattened maps are put together by the dense layer; attention
and squeeze gates bring in the whole image; both are silent.

## References

Brendel and Bethge, "Approximating CNNs with bag-of-local-features models works surprisingly well on
ImageNet" (arXiv 1904.00760). Araujo, Norris and Sim, "Computing receptive fields of
convolutional neural networks" (Distill, 2019, doi 10.23915/distill.00021).
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import Graph, is_map, is_spatial_conv, map_size
from striate.checking.rule import Spot
from striate.checking.words import percent, pixels, place, sides
from striate.records import Field, Layer, Severity, Trace

CODE = "FL202"
NAME = "small-field"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "SH101", "SH104", "RE401")

HALF = 0.5
LEAST_CONVOLUTIONS = 4
AVERAGES = frozenset({
    "adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool2d", "max_pool2d", "mean", "amax",
})  # fmt: skip


def find(trace: Trace) -> Iterator[Spot]:
    """The last convolution, when what is pooled behind it saw little of the image."""
    graph = Graph(trace)
    convs = [one for one in trace if is_spatial_conv(one) and graph.sees_image(one)]
    if len(convs) < LEAST_CONVOLUTIONS:
        return
    found = [one for one in trace if _pools_all(graph, one)]
    if not found or any(
        is_map(end) and max(map_size(end)) > 1 for end in graph.sinks(trace.layers[0])
    ):
        return
    pooled = graph.sources(found[-1])[0]
    field = pooled.field
    if field is None or not _is_small(field, trace.image[1:]):
        return
    behind = graph.ancestors(pooled)
    last = [one for one in convs if one.index in behind]
    if not last:
        return
    share = field.size[0] * field.size[1] / (trace.image[1] * trace.image[2])
    yield Spot(
        at=last[-1],
        message=(
            f"each position of the last map sees {pixels(field.size)} px of a "
            f"{sides(trace.image[1:])} image ({percent(share)} of it) before "
            f"{place(found[-1].path)} averages them: nothing in the network sees the whole."
        ),
        measured={
            "field_px": list(field.size),
            "image": list(trace.image[1:]),
            "share": share,
            "map": list(map_size(pooled)),
        },
        fix=(
            "put more strides or pools in front (each doubles what the layers behind it see), or "
            "use smaller images, or more or larger kernels."
        ),
    )


def _pools_all(graph: Graph, layer: Layer) -> bool:
    """Whether it makes one position of a map of several."""
    source = graph.source(layer)
    if layer.op not in AVERAGES or layer.gate or source is None or not is_map(source):
        return False
    left = map_size(layer) if is_map(layer) else (1, 1)
    gone = len(layer.shape) == 2 or left == (1, 1)
    return gone and max(map_size(source)) > 1 and layer.shape[1] == source.shape[1]


def _is_small(field: Field, image: tuple[int, ...]) -> bool:
    if field.status not in ("exact", "bound") or field.gated:
        return False
    return all(size < HALF * side for size, side in zip(field.size, image, strict=True))
