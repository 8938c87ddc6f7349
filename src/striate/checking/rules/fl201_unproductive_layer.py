"""FL201 unproductive-layer

## What it finds

Convolutions whose input already sees the whole image, along every path that leads to them. There
is nothing left around the kernel that it could bring in.

## Why it is bad

A convolution with a kernel beyond 1×1 earns its cost by looking at neighbours. Once each of its
inputs is wider than the image, the neighbours hold nothing new, and such layers add parameters
and multiply-accumulates without adding accuracy: Richter et al. found, on VGG and ResNet
variants, that layers behind this border can be cut without loss, and that giving the map back its
size makes them productive again.

## Bad

On 32 px the narrowest field reaches 33 px in the third stage.

```toml
name = "too deep for its image"
image = [3, 32, 32]
classes = 10

[[stages]]
block = "conv"
depth = 2
width = 32

[stages.pool]
kind = "max"

[[stages]]
block = "conv"
depth = 2
width = 64

[stages.pool]
kind = "max"

[[stages]]
block = "conv"
depth = 4
width = 128
```

Fires at `stages.2.2.conv`.

## Good

```toml
name = "as deep as its image"
image = [3, 32, 32]
classes = 10

[[stages]]
block = "conv"
depth = 2
width = 32

[stages.pool]
kind = "max"

[[stages]]
block = "conv"
depth = 2
width = 64

[stages.pool]
kind = "max"

[[stages]]
block = "conv"
depth = 2
width = 128
```

## How it is measured

The receptive field of the convolution's input along the narrowest path from the image (`least` in
the trace), against the image, on both axes: skips keep that path narrow, so that residual
networks stay productive far deeper than plain ones. A depthwise convolution costs little and is
often the only thing in its block that looks sideways, so it is reported only when its input sees
the whole image from every position (a field of at least twice the image, less one). Layers behind
which the network still ends in a map (segmentation, generation) are left alone: there the place
of a thing matters.

One finding is made for the network, at the first such layer; it lists all of them, and its price
is their parameters and multiply-accumulates. Below 1 % of both it is not worth a word.

## Limits

The field says what a layer can see, not what it does with it: a layer may still mix channels, and
a first layer behind the border that widens the network may earn its place. 1×1 convolutions and
dense layers never looked at neighbours and are not judged. Layers whose field is not known
(attention before them, positions that depend on values) are not either.

## References

Richter, Schöning, Wiedenroth and Krumnack, "Should you go deeper? Optimizing convolutional neural
network architectures without training" (arXiv 2106.12307): border layer, minimum receptive field.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import Graph, is_depthwise, is_map, is_spatial_conv, map_size
from striate.checking.rule import Spot
from striate.checking.words import count, many, percent, pixels, sides
from striate.records import Layer, Price, Severity, Trace

CODE = "FL201"
NAME = "unproductive-layer"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH101",)

WORTH_A_WORD = 0.01


def find(trace: Trace) -> Iterator[Spot]:
    """The first layer behind the border, with the sum over all of them."""
    graph = Graph(trace)
    idle = [layer for layer in trace if _is_idle(graph, layer)]
    if not idle:
        return
    first = idle[0]
    params = sum(layer.params for layer in idle)
    macs = sum(layer.macs or 0 for layer in idle)
    share = {
        "params": params / max(1, trace.totals.params),
        "macs": macs / max(1, trace.totals.macs),
    }
    if max(share.values()) < WORTH_A_WORD:
        return
    fields = [_least(graph, layer) or (0, 0) for layer in idle]
    enough = max(side for field in fields for side in field)
    subject = (
        "this convolution" if len(idle) == 1 else f"{many(len(idle), 'convolution')} from here on"
    )
    yield Spot(
        at=first,
        message=(
            f"the input already sees {pixels(fields[0])} px of the {sides(trace.image[1:])} image "
            f"along its narrowest path: {subject} can add no context, for {count(params)} "
            f"parameters ({percent(share['params'])}) and {count(macs)} MACs "
            f"({percent(share['macs'])})."
        ),
        measured={
            "input_field_px": list(fields[0]),
            "image": list(trace.image[1:]),
            "layers": [layer.path for layer in idle],
            "params_share": share["params"],
            "macs_share": share["macs"],
            "productive_above_px": enough,
        },
        price=Price(params=params, macs=macs),
        fix=(
            "end the network before this layer, or take an earlier stride or pool away, or add "
            f"skips, or use images of more than {enough} px."
        ),
    )


def _is_idle(graph: Graph, layer: Layer) -> bool:
    least = _least(graph, layer)
    if least is None:
        return False
    image = graph.trace.image[1:]
    enough = [2 * side - 1 for side in image] if is_depthwise(layer) else image
    covers = all(seen >= side for seen, side in zip(least, enough, strict=True))
    return covers and not any(is_map(end) and max(map_size(end)) > 1 for end in graph.sinks(layer))


def _least(graph: Graph, layer: Layer) -> tuple[int, int] | None:
    """The narrowest field of what a spatial convolution works on, where it is known."""
    if not is_spatial_conv(layer):
        return None
    source = graph.source(layer)
    if source is None or source.field is None or source.field.status not in ("exact", "bound"):
        return None
    return source.field.least
