"""SH111 pool-copies

## What it finds

An adaptive pool that is asked for a larger map than it is given, so that it copies values instead
of pooling them.

## Why it is bad

`AdaptiveAvgPool2d(7)` stands before VGG's dense layers so that any image fits. Behind a 1×1 map it
writes the same value 49 times: the dense layer that reads it has 49 weights where one would do,
all with the same gradient. It is the mark of a network on images far smaller than it was drawn
for.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4),
    nn.AdaptiveAvgPool2d(7), nn.Flatten(), nn.Linear(64 * 7 * 7, 10),
)
image = (3, 32, 32)
```

Fires at `6`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
image = (3, 32, 32)
```

## How it is measured

The pool's output is longer than its input on some axis. Where a dense layer reads the flattened
map, the price is the share of its weights that see copies.

## Limits

Nearest-neighbour upsampling written as an adaptive pool, as some decoders do, looks the same: a
pool that a convolution reads is left alone.

## References

PyTorch, [`AdaptiveAvgPool2d`](https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from striate.checking.graph import DENSE, RESHAPES, SAME, Graph, is_map, map_size
from striate.checking.rule import Spot
from striate.checking.words import count, place, sides
from striate.records import Layer, Price, Severity, Trace

CODE = "SH111"
NAME = "pool-copies"
SEVERITY: Severity = "warning"

ADAPTIVE = frozenset({"adaptive_avg_pool2d", "adaptive_max_pool2d"})


def find(trace: Trace) -> Iterator[Spot]:
    """Adaptive pools in front of dense layers that make their map larger."""
    graph = Graph(trace)
    for layer in trace:
        source = graph.source(layer)
        if layer.op not in ADAPTIVE or source is None or not is_map(source):
            continue
        given, made = map_size(source), map_size(layer)
        if made[0] <= given[0] and made[1] <= given[1]:
            continue
        dense = [one for one in graph.readers(layer, RESHAPES | SAME) if one.op in DENSE]
        if not dense:
            continue
        wasted = round(_weights(dense) * (1 - min(1.0, prod(given) / prod(made))))
        yield Spot(
            at=layer,
            message=(
                f"the map is {sides(given)} here, and this pool is asked for {sides(made)}: it "
                f"copies values, and {count(wasted)} weights of {place(dense[0].path)} see "
                "nothing but copies."
            ),
            measured={"map": list(given), "output": list(made), "copied_weights": wasted},
            price=Price(params=wasted, macs=wasted),
            fix=(
                f"pool to {sides((1, 1))} (or at most {sides(given)}) and give "
                f"{place(dense[0].path)} as many features, or use larger images."
            ),
        )


def _weights(dense: list[Layer]) -> int:
    return sum(
        max(0, one.params - (one.shape[-1] if one.attrs.get("bias") else 0)) for one in dense
    )
