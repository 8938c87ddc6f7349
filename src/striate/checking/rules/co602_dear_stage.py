"""CO602 dear-stage

## What it finds

A stage at high resolution that takes more than half of the network's multiply-accumulates.

## Why it is bad

A pixel of a large map sees little of the image, and its features are the simple ones: edges,
colours, textures. The work of a well-known network lies where the maps are small and the features
many: of two hundred that were looked at, none spends half of its work on maps four times as long
as its last. What is spent early is missing later, in time and in the memory that large maps take.

## Bad

```toml
name = "small"
image = [3, 32, 32]
classes = 10

[stem]
width = 16

[[stages]]
block = "basic"
depth = 3
width = 128

[[stages]]
block = "basic"
depth = 3
width = 32
stride = 2

[[stages]]
block = "basic"
depth = 3
width = 64
stride = 2
```

Fires at `stages.0.blocks.0.conv2`.

## Good

```toml
name = "small"
image = [3, 32, 32]
classes = 10

[stem]
width = 16

[[stages]]
block = "basic"
depth = 3
width = 16

[[stages]]
block = "basic"
depth = 3
width = 32
stride = 2

[[stages]]
block = "basic"
depth = 3
width = 64
stride = 2
```

## How it is measured

The multiply-accumulates of convolutions and dense layers by the size of the map they put out. A
size at least four times as long, along each axis, as the smallest (of more than one pixel) is
found if it takes more than 55 %; the place is its dearest layer. The price is what
lies above half.

## Limits

A network that gives a value for each pixel may need its work there. Whether a stage is worth its
cost for one's own images only training says; this says what it costs.

## References

Radosavovic et al., "Designing network design spaces" (arXiv 2003.13678), section 4, on the depth
and width of good stages: most blocks are in the third, widths grow. Tan and Le, "EfficientNetV2"
(arXiv 2104.00298), section 3.3, on stages that should not be scaled alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from striate.checking.graph import Graph, channels, is_map, is_weighted, map_size
from striate.checking.rule import Spot
from striate.checking.words import many, percent, sides
from striate.records import Layer, Price, Severity, Trace

CODE = "CO602"
NAME = "dear-stage"
SEVERITY: Severity = "info"
SILENT_IF = ("SH100", "RE401")  # the rest of the network is not known then

LONGER = 4  # times the smallest map, along each axis
MOST = 0.55  # of all MACs


def find(trace: Trace) -> Iterator[Spot]:
    """The stage that takes most of the work, if it comes early."""
    graph = Graph(trace)
    stages: dict[tuple[int, int], list[Layer]] = defaultdict(list)
    for layer in trace:
        if is_weighted(layer) and is_map(layer) and not layer.gate and graph.sees_image(layer):
            stages[map_size(layer)].append(layer)
    sizes = [size for size in stages if min(size) > 1]
    if len(sizes) < 3 or not trace.totals.macs:
        return
    smallest = min(sizes)
    for size in sizes:
        macs = sum(layer.macs or 0 for layer in stages[size])
        share = macs / trace.totals.macs
        early = all(a >= LONGER * b for a, b in zip(size, smallest, strict=True))
        if not early or share <= MOST:
            continue
        dearest = max(stages[size], key=lambda layer: layer.macs or 0)
        width = max(channels(layer)[1] for layer in stages[size])
        yield Spot(
            at=dearest,
            message=(
                f"the {many(len(stages[size]), 'convolution')} on maps of {sides(size)}, up to "
                f"{width} channels wide, take {percent(share)} of the network's work; its smallest "
                f"maps are {sides(smallest)}."
            ),
            measured={
                "map": list(size),
                "share": round(share, 4),
                "width": width,
                "convolutions": len(stages[size]),
            },
            price=Price(macs=round(macs - trace.totals.macs / 2)),
            fix="make this stage narrower or shorter, or downsample before it.",
        )
