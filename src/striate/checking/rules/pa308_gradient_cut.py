"""PA308 gradient-cut

## What it finds

Parameters that the forward uses and that want to be trained, but to which no gradient can come
from the output: behind a `detach`, a `torch.no_grad` or a step that has no derivative.

## Why it is bad

Everything before the cut stays as it was initialised, however long the training runs. The loss
falls all the same, since what lies behind the cut learns to make the best of random features.

## Bad

```python
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = self.conv1(x).relu().detach()
        x = self.conv2(x).relu()
        return self.head(x.mean((2, 3)))

net = Net()
image = (3, 32, 32)
```

Fires at `conv1`.

## Good

```python
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = self.conv1(x).relu()
        x = self.conv2(x).relu()
        return self.head(x.mean((2, 3)))

net = Net()
image = (3, 32, 32)
```

## How it is measured

While the forward is traced, each operation notes which of its inputs carry a gradient; from what
was returned, these are followed back, and parameters that are not met are cut off. One finding is
made for the network, at the last layer before the cut; it lists all.

## Limits

A loss that the module computes and keeps to itself (a commitment loss of a codebook) is not seen.
Parameters whose result is ignored are PA304's finding. Where only whole numbers are returned (the
class itself), nothing is said.

## References

PyTorch, [Autograd mechanics](https://docs.pytorch.org/docs/stable/notes/autograd.html), "Locally
disabling gradient computation".
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import Graph
from striate.checking.modules import owner
from striate.checking.rule import Spot
from striate.checking.words import count, many, percent
from striate.records import Layer, Price, Severity, Trace

CODE = "PA308"
NAME = "gradient-cut"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")  # nothing was returned


def find(trace: Trace) -> Iterator[Spot]:
    """The last layer before the cut, with all that are cut off."""
    if not trace.unlearned:
        return
    graph = Graph(trace)
    alive: set[int] = set()
    for index in trace.returned:
        if index in graph:
            alive |= graph.ancestors(graph[index])
    paths = {owner(name) for name in trace.unlearned}
    cut: list[Layer] = [
        layer
        for layer in trace
        if layer.path in paths and (layer.params or layer.shares) and layer.index in alive
    ]
    if not cut:
        return
    reached = {layer.path for layer in cut}
    names = [name for name in trace.unlearned if owner(name) in reached]
    params = sum(trace.parameters.get(name, 0) for name in names)
    last = cut[-1]
    others = "" if len(reached) == 1 else f" and {many(len(reached) - 1, 'other layer')} before it"
    yield Spot(
        at=last,
        message=(
            f"no gradient comes from the output to this layer{others}: {count(params)} parameters "
            f"({percent(params / max(1, trace.totals.params))} of the network) stay as they were "
            "initialised."
        ),
        measured={"parameters": names, "elements": params, "layers": [one.path for one in cut]},
        price=Price(params=params),
        fix=(
            "take away the detach, the torch.no_grad or the step without a derivative that follows "
            "it; or, if it is to stay as it is, call requires_grad_(False) on it."
        ),
    )
