"""PA309 plain-list

## What it finds

Operations that use parameters which no module holds: layers kept in a Python list or dictionary
instead of `nn.ModuleList` or `nn.ModuleDict`.

## Why it is bad

`parameters()` does not find them, so the optimiser never changes them; `to(device)` leaves them
where they are, and no checkpoint has them. The network runs, with random layers in it.

## Bad

```python
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.body = [nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)]
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = self.stem(x).relu()
        for conv in self.body:
            x = conv(x).relu()
        return self.head(x.mean((2, 3)))

net = nn.Sequential(Net())
image = (3, 32, 32)
```

Fires at `0`.

## Good

```python
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(16, 16, 3, padding=1) for _ in range(2))
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = self.stem(x).relu()
        for conv in self.body:
            x = conv(x).relu()
        return self.head(x.mean((2, 3)))

net = nn.Sequential(Net())
image = (3, 32, 32)
```

## How it is measured

Tensors of the class `nn.Parameter` that want a gradient, that an operation used, and that are not
among the module's own parameters. One finding is made for each module that called such layers; the
price is their elements.

## Limits

A layer made anew in each forward is found too, and is as wrong.

## References

PyTorch, [`ModuleList`](https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html).
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.rule import Spot
from striate.checking.words import count, many, place
from striate.records import Layer, Price, Severity, Trace

CODE = "PA309"
NAME = "plain-list"
SEVERITY: Severity = "warning"


def find(trace: Trace) -> Iterator[Spot]:
    """Modules that call layers nobody holds, each at the first such call."""
    found: dict[str, list[Layer]] = {}
    for layer in trace:
        if layer.strays:
            found.setdefault(layer.path, []).append(layer)
    for path, layers in found.items():
        params = sum(layer.strays for layer in layers)
        yield Spot(
            at=layers[0],
            message=(
                f"{many(len(layers), 'operation')} in {place(path)} use"
                f"{'s' if len(layers) == 1 else ''} {count(params)} parameters that no module "
                "holds: no optimiser changes them and no checkpoint has them."
            ),
            measured={"operations": [layer.op for layer in layers], "elements": params},
            price=Price(params=params),
            fix="keep these layers in an nn.ModuleList (or nn.ModuleDict), not in a Python list.",
        )
