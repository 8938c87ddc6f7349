"""SH110 pool-of-one

## What it finds

A pool with a kernel of 1 and a stride of 1: it hands its input on as it is.

## Why it is bad

It costs a copy of the map, and little else; but where there is a pool, a pool was meant. Either
its kernel was mistyped, or the map was already smaller than whoever wrote it thought, and the
global pooling that should stand there is not what happens on other image sizes.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.AvgPool2d(1, stride=1),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

Fires at `2`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2, stride=2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

## How it is measured

A max or average pool with a 1×1 kernel, a stride of 1 and no padding. The price is the bytes of
the copy it makes.

## Limits

A kernel of 1 with a larger stride throws pixels away, which is FL203's question. An adaptive pool
whose output is as large as its input is taken for meant: it fixes the size for other images.

## References

PyTorch, [`MaxPool2d`](https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html).
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import POOLS, kernel, pair
from striate.checking.rule import Spot
from striate.checking.windows import module_is
from striate.records import Edit, Price, Severity, Trace

CODE = "SH110"
NAME = "pool-of-one"
SEVERITY: Severity = "info"


def find(trace: Trace) -> Iterator[Spot]:
    """Pools that do nothing."""
    for layer in trace:
        if layer.op not in POOLS or kernel(layer) != (1, 1):
            continue
        if pair(layer, "stride", 1) != (1, 1) or pair(layer, "padding", 0) != (0, 0):
            continue
        own = module_is(layer, "MaxPool2d", "AvgPool2d")
        yield Spot(
            at=layer,
            message="a pool with a 1×1 kernel and stride 1 does nothing: its output is its input.",
            measured={"kernel": [1, 1], "stride": [1, 1]},
            price=Price(bytes=layer.out_bytes),
            fix="take it away, or give it the kernel that was meant.",
            edits=(Edit(path=layer.path, argument=None),) if own else (),
            safe=own,
        )
