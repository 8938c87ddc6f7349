"""CO603 dear-layer

## What it finds

One layer of many that takes a third of the network's multiply-accumulates, and several times those
of any other; or a full convolution where its siblings are depthwise.

## Why it is bad

Work is spread over a network's layers by design. One that stands out as a rule has a width or a
kernel too many, or has lost its groups: a 3×3 convolution of 144 channels does 144 times the work
of the depthwise one it was meant to be, and holds as many times the parameters.

## Bad

```python
from torch import nn

def block(width, wide, groups):
    return nn.Sequential(
        nn.Conv2d(width, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU(),
        nn.Conv2d(wide, wide, 3, padding=1, groups=groups, bias=False),
        nn.BatchNorm2d(wide), nn.ReLU(),
        nn.Conv2d(wide, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
    )

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    block(16, 64, 64), block(16, 64, 64), block(16, 64, 1), block(16, 64, 64),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 8, 8)
```

Fires at `5.3`.

## Good

```python
from torch import nn

def block(width, wide, groups):
    return nn.Sequential(
        nn.Conv2d(width, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU(),
        nn.Conv2d(wide, wide, 3, padding=1, groups=groups, bias=False),
        nn.BatchNorm2d(wide), nn.ReLU(),
        nn.Conv2d(wide, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
    )

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    block(16, 64, 64), block(16, 64, 64), block(16, 64, 64), block(16, 64, 64),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 8, 8)
```

## How it is measured

In a network of at least 10 weight layers: the dearest has at least 30 % of all multiply-accumulates
and four times those of the next. Also each full convolution with as many channels out as in, of a
kernel beyond 1×1, that takes 5 % or more, where at least as many others in the same place are
depthwise (the same name in modules of the same class, the same kernel, read by the same sort of
layer), where pointwise layers widen to it and narrow behind it at least twofold, the place of the
depthwise convolution in an inverted residual, or where its kernel is 7×7 or larger. The mend is
groups there; the price is what they would save.

## Limits

It is what the layer costs, not what it is worth. MobileNet v4 begins with such a layer by design,
since a full convolution of few channels runs well on the devices it is made for.

## References

Howard et al., "MobileNets" (arXiv 1704.04861), section 3.1 and table 2. Qin et al.,
"MobileNetV4" (arXiv 2404.10518), section 3, on the roofline that makes a dense first layer cheap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from striate.checking.graph import (
    POINTWISE,
    Graph,
    channels,
    groups,
    is_depthwise,
    is_spatial_conv,
    is_weighted,
    kernel,
)
from striate.checking.rule import Spot
from striate.checking.words import count, many, percent
from striate.records import Edit, Layer, Price, Severity, Trace

CODE = "CO603"
NAME = "dear-layer"
SEVERITY: Severity = "info"
SILENT_IF = ("SH100", "RE401")  # the rest of the network is not known then

MANY_LAYERS = 10
SHARE, TIMES = 0.3, 4
DEPTHWISE, FELT = 2, 0.05
LARGE = 7  # a kernel that is given to depthwise convolutions, since a full one costs too much
WIDENS = 2  # times the ends of an inverted residual: a bottleneck's middle is narrower than they


def find(trace: Trace) -> Iterator[Spot]:
    """The layer that outweighs all others, and those that have lost their groups."""
    graph = Graph(trace)
    layers = [layer for layer in trace if is_weighted(layer) and graph.sees_image(layer)]
    total = trace.totals.macs
    if len(layers) < MANY_LAYERS or not total:
        return
    full = _without_groups(graph, layers, total)
    for layer in full:
        width = channels(layer)[0]
        edit = Edit(path=layer.path, argument="groups", value=width)
        macs = layer.macs or 0
        weights = layer.params - (width if layer.attrs.get("bias") else 0)
        yield Spot(
            at=layer,
            message=(
                f"this convolution of {width} channels takes {percent(macs / total)} of the "
                f"network's work; with groups, as others have in such a place, it would take a "
                f"{width}th of that."
            ),
            measured={"macs": macs, "share": round(macs / total, 4), "channels": width},
            price=Price(macs=macs - macs // width, params=weights - weights // width),
            fix=f"pass groups={width}.",
            edits=(edit,) if layer.module == "Conv2d" else (),
        )
    first, second = sorted(layers, key=lambda layer: layer.macs or 0, reverse=True)[:2]
    macs, next_macs = first.macs or 0, second.macs or 0
    if first in full or macs < SHARE * total or macs < TIMES * next_macs:
        return
    yield Spot(
        at=first,
        message=(
            f"this one of {many(len(layers), 'layer')} takes {percent(macs / total)} of the "
            f"network's work, {count(macs)} of {count(total)} MACs; the next takes "
            f"{percent(next_macs / total)}."
        ),
        measured={"macs": macs, "share": round(macs / total, 4), "next": next_macs},
        price=Price(macs=macs - next_macs),
        fix="make it narrower, its kernel smaller, give it groups, or downsample before it.",
    )


def _without_groups(graph: Graph, layers: list[Layer], total: int) -> list[Layer]:
    """Dear full convolutions in the place of depthwise ones."""
    places: dict[tuple[object, ...], list[Layer]] = defaultdict(list)
    for layer in layers:
        if is_spatial_conv(layer) and channels(layer)[0] == channels(layer)[1]:
            places[_place(graph, layer)].append(layer)
    found: list[Layer] = []
    for together in places.values():
        depthwise = sum(is_depthwise(layer) for layer in together)
        full = [
            layer for layer in together if groups(layer) == 1 and (layer.macs or 0) >= FELT * total
        ]
        if depthwise >= max(DEPTHWISE, len(full)):
            found += full
        else:
            found += [
                layer
                for layer in full
                if _is_wide_middle(graph, layer) or min(kernel(layer)) >= LARGE
            ]
    return found


def _place(graph: Graph, layer: Layer) -> tuple[object, ...]:
    """Its name in which sort of module, its kernel, and what sort of layer reads it."""
    parent, _, name = layer.path.rpartition(".")
    after = _reader(graph, layer)
    kind = None if after is None else is_spatial_conv(after)
    return graph.trace.modules.get(parent, ""), name.isdigit() or name, kernel(layer), kind


def _reader(graph: Graph, layer: Layer) -> Layer | None:
    return next((one for one in graph.readers(layer, POINTWISE) if is_weighted(one)), None)


def _is_wide_middle(graph: Graph, layer: Layer) -> bool:
    """Whether pointwise layers widen to it and narrow behind it: an inverted residual's middle."""
    before = graph.source(layer)
    while before is not None and before.op in POINTWISE and len(graph.sources(before)) == 1:
        before = graph.source(before)
    after = _reader(graph, layer)
    if before is None or after is None or not is_weighted(before):
        return False
    if is_spatial_conv(before) or is_spatial_conv(after):
        return False
    return channels(before)[0] * WIDENS <= channels(layer)[0] >= WIDENS * channels(after)[1]
