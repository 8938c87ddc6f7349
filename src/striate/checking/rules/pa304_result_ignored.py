"""PA304 result-ignored

## What it finds

A layer that is called, and whose result goes nowhere: nothing that the network returns depends on
it.

## Why it is bad

Its multiply-accumulates are spent on every image and thrown away, and its parameters get no
gradient. As a rule the next line was given the layer's input instead of its output, and the
network is a layer shallower than it looks.

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
        x = self.conv1(x).relu()
        y = self.conv2(x).relu()
        return self.head(x.mean((2, 3)))

net = Net()
image = (3, 32, 32)
```

Fires at `conv2`.

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
        y = self.conv2(x).relu()
        return self.head(y.mean((2, 3)))

net = Net()
image = (3, 32, 32)
```

## How it is measured

From everything the forward returned, the operations are followed back to the image. Layers with
parameters that are not met on the way are dead, and so are activations that nobody reads (`relu(x)`
in place of `x = relu(x)`); one finding is made where each dead part leaves the living one, with the
price of all of it.

## Limits

A result that is kept on the module for later (a feature, an auxiliary loss) counts as ignored, as
does a head that is computed in evaluation mode and returned in training mode alone.

## References

Aho, Lam, Sethi and Ullman, "Compilers: principles, techniques, and tools", section 9.1.6, on dead
code: here it is not removed for you.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import ACTIVATIONS, Graph
from striate.checking.rule import Spot
from striate.checking.words import count, many, percent
from striate.records import Layer, Price, Severity, Trace

CODE = "PA304"
NAME = "result-ignored"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")  # nothing was returned


def find(trace: Trace) -> Iterator[Spot]:
    """Where parts with parameters branch off that reach nothing returned."""
    if not trace.returned:
        return
    graph = Graph(trace)
    alive: set[int] = set()
    for index in trace.returned:
        if index in graph:
            alive |= graph.ancestors(graph[index])
    told: set[int] = set()
    for layer in trace:
        if layer.index in alive or layer.index in told or not graph.sees_image(layer):
            continue
        idle = layer.op in ACTIVATIONS and not graph.users(layer)
        if not (layer.params or layer.shares or idle):
            continue
        part = _behind(graph, layer, told)
        told |= {one.index for one in part}
        params = sum(one.params for one in part)
        macs = sum(one.macs or 0 for one in part)
        weighted = sum(bool(one.params or one.shares) for one in part)
        yield Spot(
            at=layer,
            message=(
                f"nothing that the network returns depends on this {layer.op}: its result goes "
                "nowhere."
                if idle
                else "nothing that the network returns depends on this layer"
                + (f" and the {many(weighted - 1, 'layer')} behind it" if weighted > 1 else "")
                + f": {count(params)} parameters and {count(macs)} MACs "
                f"({percent(macs / max(1, trace.totals.macs))}) are spent for nothing."
            ),
            measured={"layers": [one.path for one in part], "params": params, "macs": macs},
            price=Price(params=params, macs=macs),
            fix="hand its result to the next layer, or do not call it.",
        )


def _behind(graph: Graph, layer: Layer, told: set[int]) -> list[Layer]:
    """The layer and all that takes its output, which is dead too."""
    found = {layer.index: layer}
    waiting = [layer]
    while waiting:
        for user in graph.users(waiting.pop()):
            if user.index not in found and user.index not in told:
                found[user.index] = user
                waiting.append(user)
    return [found[index] for index in sorted(found)]
