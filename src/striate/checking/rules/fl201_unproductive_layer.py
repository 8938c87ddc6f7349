"""FL201 unproductive-layer

## What it finds

Convolutions that could be taken away and whose input already sees the whole image: at every
position, along every path that leads there. There is nothing left around the kernel that it could
bring in, and it changes neither the number of channels nor the size of the map.

## Why it is bad

A convolution with a kernel beyond 1×1 earns its cost by looking at neighbours. Once each of its
inputs has seen the whole image, the neighbours hold nothing new, and such layers add parameters
and multiply-accumulates without adding accuracy. Richter et al. found, on variants of VGG and
ResNet, that layers behind this border can be cut without loss, and that giving the map back its
size makes them productive again.

## Bad

In the last stage the map is 4×4, eight pixels apart; from its third layer on, each of the sixteen
positions sees all 32 pixels.

```toml
name = "too deep for its image"
image = [3, 32, 32]
classes = 10

[[stages]]
block = "conv"
depth = 2
width = 32
pool = {}

[[stages]]
block = "conv"
depth = 2
width = 64
pool = {}

[[stages]]
block = "conv"
depth = 2
width = 128
pool = {}

[[stages]]
block = "conv"
depth = 4
width = 256
```

Fires at `stages.3.blocks.2.conv`.

## Good

```toml
name = "as deep as its image"
image = [3, 32, 32]
classes = 10

[[stages]]
block = "conv"
depth = 2
width = 32
pool = {}

[[stages]]
block = "conv"
depth = 2
width = 64
pool = {}

[[stages]]
block = "conv"
depth = 2
width = 128
pool = {}

[[stages]]
block = "conv"
depth = 2
width = 256
```

## How it is measured

The receptive field of the convolution's input, along the narrowest path from the image (`least`
in the trace), laid around the centre of the first and of the last position of its map: both must
reach from the first pixel to the last, on both axes. On an n×n map with a stride of s pixels that
takes a field about image + (n − 1)·s wide. Skips keep the narrowest path narrow, so that residual
networks stay productive far deeper than plain ones. Layers behind which the network still ends in
a map (segmentation, generation) are left alone: there the place of a thing matters.

Only what can be taken away is judged: the layers between two tensors of one shape, with nothing
else going in or out between them. That is one convolution with its norm and activation, or a
bottleneck that ends as wide as it began, or a block with its skip. A convolution that widens or
strides stays: it has that to do.

One finding is made for the network, at the first such layer; it lists all of them, and its price
is what goes with them, in parameters and multiply-accumulates. Below 1 % of both it is not worth
a word.

## Limits

Richter et al. draw the border where the field first exceeds the image, which is where the
position in the middle sees all of it; the line here is stricter, and the two agree on a 1×1 map.
The field says what a layer can see, not what it does with it: a layer behind the border still
mixes channels. Three networks of ours lost no accuracy with such layers in short training on
CIFAR-10 (`bench/RESULTS.md`); where a network is trained long, compare. 1×1 convolutions and dense
layers never looked at neighbours and are not judged by themselves; nor are layers whose field is
not known (attention before them, positions that depend on values).

## References

Richter, Schöning, Wiedenroth and Krumnack, "Should you go deeper? Optimizing convolutional neural
network architectures without training" (arXiv 2106.12307): border layer, minimum receptive field.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import JOINS, POINTWISE, Graph, is_map, is_spatial_conv, map_size
from striate.checking.regions import modules_of, region_of
from striate.checking.rule import Spot
from striate.checking.words import count, many, percent, pixels, sides
from striate.records import Edit, Field, Layer, Price, Severity, Trace

CODE = "FL201"
NAME = "unproductive-layer"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "SH101", "RE401")

WORTH_A_WORD = 0.01


def find(trace: Trace) -> Iterator[Spot]:
    """The first layer behind the border that can go, with the sum over all of them."""
    graph = Graph(trace)
    gone = _removable(graph)
    idle = [layer for layer in gone if is_spatial_conv(layer)]
    if not idle:
        return
    first = idle[0]
    params = sum(layer.params for layer in gone)
    macs = sum(layer.macs or 0 for layer in gone)
    share = {
        "params": params / max(1, trace.totals.params),
        "macs": macs / max(1, trace.totals.macs),
    }
    if max(share.values()) < WORTH_A_WORD:
        return
    least = _input_field(graph, first).least
    enough = max(_productive_above(_input_field(graph, layer)) for layer in idle)
    modules = modules_of(trace, {layer.index for layer in gone})
    yield Spot(
        at=first,
        message=(
            f"every position of the input already sees the whole {sides(trace.image[1:])} image "
            f"(its narrowest field is {pixels(least)} px): {_subject(len(idle))} can add no "
            f"context, for {count(params)} parameters ({percent(share['params'])}) and "
            f"{count(macs)} MACs ({percent(share['macs'])})."
        ),
        measured={
            "input_field_px": list(least),
            "image": list(trace.image[1:]),
            "layers": [layer.path for layer in idle],
            "modules": modules,
            "params_share": share["params"],
            "macs_share": share["macs"],
            "productive_above_px": enough,
        },
        price=Price(params=params, macs=macs),
        fix=(
            f"take {'it' if len(idle) == 1 else 'them'} away, or an earlier stride or pool, or add "
            f"skips, or use images of more than {enough} px."
        ),
        edits=tuple(Edit(path=path, argument=None) for path in modules),
    )


def _subject(layers: int) -> str:
    if layers == 1:
        return "this convolution, which changes neither width nor size,"
    return f"{many(layers, 'convolution')} from here on, which change neither width nor size,"


def _removable(graph: Graph) -> list[Layer]:
    """All layers that can go, region by region, in order."""
    idle = {layer.index for layer in graph.trace if _is_idle(graph, layer)}

    def may_go(layer: Layer) -> bool:
        if layer.op == "conv2d":
            return layer.index in idle or not is_spatial_conv(layer)
        return layer.op in POINTWISE | JOINS

    found: dict[int, Layer] = {}
    for index in sorted(idle):
        region = None if index in found else region_of(graph, graph[index], may_go)
        if region is not None:
            found.update({layer.index: layer for layer in region.layers})
    return [found[index] for index in sorted(found)]


def _is_idle(graph: Graph, layer: Layer) -> bool:
    source = graph.source(layer)
    if not is_spatial_conv(layer) or source is None or not is_map(source):
        return False
    field = source.field
    if field is None or field.status not in ("exact", "bound"):
        return False
    everywhere = all(
        _sees_all(image, positions, axis, field)
        for axis, (image, positions) in enumerate(
            zip(graph.trace.image[1:], map_size(source), strict=True)
        )
    )
    return everywhere and not any(
        is_map(end) and max(map_size(end)) > 1 for end in graph.sinks(layer)
    )


def _sees_all(image: int, positions: int, axis: int, field: Field) -> bool:
    """Whether the first and the last position of an axis both see all of its ``image`` pixels."""
    reach = (field.least[axis] - 1) / 2
    first, last = _centre(field, axis, 0), _centre(field, axis, positions - 1)
    return first + reach >= image - 1 and last - reach <= 0


def _centre(field: Field, axis: int, index: int) -> float:
    """The pixel a position is centred on."""
    return sum(field.span(axis, index)) / 2


def _input_field(graph: Graph, layer: Layer) -> Field:
    source = graph.source(layer)
    assert source is not None
    assert source.field is not None
    return source.field


def _productive_above(field: Field) -> int:
    """The largest image side of which every position sees all (a map of side / stride)."""
    sides: list[float] = []
    for axis in (0, 1):
        centre, reach = _centre(field, axis, 0), (field.least[axis] - 1) / 2
        sides.append(min(centre + reach + 1, reach + field.stride[axis] - centre))
    return int(max(sides))
