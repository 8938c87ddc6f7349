"""NA513 activation-twice

## What it finds

An activation on what an activation has just put out, with nothing learnt between.

## Why it is bad

At best the second does nothing, as a ReLU behind a ReLU, at the price of a pass over memory and a
map kept for backward. At worst it leaves a part of its range unused, as a sigmoid behind a ReLU,
which can only answer between 0.5 and 1. As a rule one of them was meant to be elsewhere: a module
that ends with an activation, called by one that adds its own.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

Fires at `3`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

## How it is measured

An activation's only input is, behind dropout and copies, an activation that nothing else reads. A
ReLU or a leaky ReLU behind something that is never negative changes nothing, and can be taken away
safely. The price is what the second keeps for backward.

## Limits

Activations that are put together from others are silent: a clamp, and whatever is multiplied into
something in the end, as the tanh of a softplus in Mish.

## References

Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines" (ICML 2010).
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.ends import removal
from striate.checking.graph import ACTIVATIONS, SAME, Graph
from striate.checking.rule import Spot
from striate.checking.words import place
from striate.records import Layer, Price, Severity, Trace

CODE = "NA513"
NAME = "activation-twice"
SEVERITY: Severity = "info"
SILENT_IF = ("SH100", "RE401")  # who else reads an output is not known then

BENDS = ACTIVATIONS - {"clamp"}
NEVER_NEGATIVE = frozenset({"relu", "relu6", "sigmoid", "hardsigmoid", "softplus"})
IDLE_ON_POSITIVES = frozenset({"relu", "leaky_relu", "prelu", "rrelu", "elu", "celu"})
"""The identity above zero."""


def find(trace: Trace) -> Iterator[Spot]:
    """Second activations."""
    graph = Graph(trace)
    for layer in trace:
        first = _activation_before(graph, layer) if layer.op in BENDS else None
        if first is None or any(user.op == "mul" for user in graph.users(layer)):
            continue
        idle = first.op in NEVER_NEGATIVE and layer.op in IDLE_ON_POSITIVES
        effect = (
            "which changes nothing"
            if idle
            else "which bends it twice with nothing learnt in between"
        )
        yield Spot(
            at=layer,
            message=f"this {layer.op} works on what the {first.op} {place(first.path)} put out, "
            f"{effect}.",
            measured={"first": first.path, "ops": [first.op, layer.op]},
            price=Price(bytes=layer.saved_bytes),
            fix=f"take {'this one' if idle else 'one of the two'} away.",
            edits=removal(layer),
            safe=idle,
        )


def _activation_before(graph: Graph, layer: Layer) -> Layer | None:
    here = graph.source(layer)
    while here is not None and graph.only_user(here) is not None:
        if here.op in BENDS:
            return here
        if here.op not in SAME:
            return None
        here = graph.source(here)
    return None
