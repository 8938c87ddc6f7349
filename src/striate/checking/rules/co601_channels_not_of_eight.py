"""CO601 channels-not-of-eight

## What it finds

Widths that are no multiple of 8, where the layers that use them take a share of the work that can
be felt.

## Why it is bad

Matrix units multiply in tiles: in half precision a tile is 8 channels deep and wide, and a width
of 100 is computed as 104, or by a slower kernel. What is padded is paid for and thrown away. A
width that is a little larger often runs as fast or faster, and a little smaller saves more than
its share.

## Bad

```toml
name = "small"
image = [3, 32, 32]
classes = 10

[stem]
width = 16

[[stages]]
block = "basic"
depth = 2
width = 16

[[stages]]
block = "basic"
depth = 2
width = 33
stride = 2

[[stages]]
block = "basic"
depth = 2
width = 64
stride = 2
```

Fires at `stages.1.blocks.0.conv2`.

## Good

```toml
name = "small"
image = [3, 32, 32]
classes = 10

[stem]
width = 16

[[stages]]
block = "basic"
depth = 2
width = 16

[[stages]]
block = "basic"
depth = 2
width = 32
stride = 2

[[stages]]
block = "basic"
depth = 2
width = 64
stride = 2
```

## How it is measured

For every convolution without groups and every dense layer, its multiply-accumulates with both
widths rounded up to a multiple of 8, less those it has. The image's own channels and the number of
classes are left as they are. Found where the layers that have any to add do at least 10 % of the
network's work, once, at the one that adds most; the price is the sum over all. Widths below 8 are
left out: there the layer is small whatever it is rounded to.

## Limits

It is arithmetic, not a measurement: on a processor without matrix units, or in single precision,
the loss can be nothing. Pruned networks have such widths for a reason. Grouped convolutions run on
other kernels, and are left out.

## References

NVIDIA, "Deep learning performance guide", on tensor core requirements: dimensions that are
multiples of 8 in half precision. Howard et al., "Searching for MobileNetV3" (arXiv 1905.02244),
whose code rounds widths to multiples of 8.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.ends import outputs
from striate.checking.graph import RESHAPES, SAME, Graph, channels, groups, is_weighted
from striate.checking.rule import Spot
from striate.checking.words import many, percent
from striate.records import Layer, Price, Severity, Trace

CODE = "CO601"
NAME = "channels-not-of-eight"
SEVERITY: Severity = "info"

TILE = 8
FELT = 0.1  # share of the network's MACs in such layers


def find(trace: Trace) -> Iterator[Spot]:
    """The layer that wastes most, if all of them waste enough."""
    graph = Graph(trace)
    last = {graph.back(out, RESHAPES | SAME).index for out in outputs(graph)}
    wasted: dict[str, int] = {}
    layers: dict[str, Layer] = {}
    for layer in trace:
        if not is_weighted(layer) or groups(layer) > 1 or not graph.sees_image(layer):
            continue
        given, made = channels(layer)
        source = graph.source(layer)
        of_image = source is not None and source.op == "input"
        factor = (1.0 if of_image else _padding(given)) * (
            1.0 if layer.index in last else _padding(made)
        )
        if factor > 1:
            layers.setdefault(layer.path, layer)
            wasted[layer.path] = wasted.get(layer.path, 0) + round((layer.macs or 0) * (factor - 1))
    total = sum(wasted.values())
    touched = sum(layer.macs or 0 for layer in trace if layer.path in wasted)
    if not wasted or touched < FELT * trace.totals.macs:
        return
    worst = layers[max(wasted, key=lambda path: wasted[path])]
    given, made = channels(worst)
    odd = made if made % TILE and worst.index not in last else given
    others = len(wasted) - 1
    also = f" {many(others, 'other layer')} have such widths too." if others > 1 else ""
    also = " One other layer has such a width too." if others == 1 else also
    share = total / trace.totals.macs
    yield Spot(
        at=worst,
        message=(
            f"{given} → {made} channels: {odd} is no multiple of {TILE}, and matrix units compute "
            f"{_up(odd)}.{also} Padding adds {percent(share)} to the network's work."
        ),
        measured={"channels": [given, made], "layers": list(wasted), "share": round(share, 4)},
        price=Price(macs=total),
        fix=f"use {_up(odd)} channels, or {odd // TILE * TILE}.",
    )


def _up(width: int) -> int:
    return -(-width // TILE) * TILE


def _padding(width: int) -> float:
    """By what a width grows when it is rounded up; 1 for what is small anyway."""
    return _up(width) / width if width > TILE else 1.0
