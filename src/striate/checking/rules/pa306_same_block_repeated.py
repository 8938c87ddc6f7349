"""PA306 same-block-repeated

## What it finds

One module that stands in a list several times and is called once for each: the layers look like
several and are one.

## Why it is bad

`[Block()] * 4` makes one block and names it four times. The network has the depth and the cost of
four blocks and the parameters of one; its gradient is the sum over four places that would each
have needed their own. Nothing in training says so, except that it is worse.

## Bad

```python
from torch import nn

def block():
    return nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.Sequential(*[block()] * 3),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 16, 16)
```

Fires at `2.0`.

## Good

```python
from torch import nn

def block():
    return nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.Sequential(*[block() for _ in range(3)]),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 16, 16)
```

## How it is measured

A module with parameters that its parent holds under several names, where one call of it depends on
the output of another, or is given the very same input.

## Limits

A module that is called in a loop under its one name is shared on purpose (recurrent networks), and
silent; so is one that is given different maps beside each other, such as one head for a pyramid.

## References

PyTorch, [`ModuleList`](https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html).
Lan et al., "ALBERT" (arXiv 1909.11942), section 4.5, on what sharing costs where it is meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from striate.checking.graph import Graph
from striate.checking.modules import is_in, owner, stand_in
from striate.checking.rule import Spot
from striate.checking.words import count, place
from striate.records import Layer, Severity, Trace

CODE = "PA306"
NAME = "same-block-repeated"
SEVERITY: Severity = "warning"


def find(trace: Trace) -> Iterator[Spot]:
    """Modules under several names of one parent that follow each other."""
    graph = Graph(trace)
    told: list[str] = []
    for path, more in trace.aliases.items():
        siblings = [other for other in more if owner(other) == owner(path)]
        params = sum(
            size for name, size in trace.parameters.items() if is_in(owner(name), path) and path
        )
        if not siblings or not params or any(is_in(path, above) for above in told):
            continue
        if not _does_the_same_again(graph, path):
            continue
        told.append(path)
        names = len(siblings) + 1
        at = next((one for one in trace if one.path == path), stand_in(trace, path))
        yield Spot(
            at=at,
            message=(
                f"{place(path)} and {place(siblings[-1])} are one module under {names} names: "
                f"{names} layers share the same {count(params)} parameters."
            ),
            measured={"names": [path, *siblings], "params": params},
            fix="make each with a call of its own: [make() for _ in range(n)] in place of "
            "[make()] * n.",
        )


def _does_the_same_again(graph: Graph, path: str) -> bool:
    """Whether some operation depends on an earlier call of the same one, or has its input."""
    calls: dict[tuple[str, str], list[Layer]] = {}
    for layer in graph.trace:
        if is_in(layer.path, path) and (layer.params or layer.shares):
            calls.setdefault((layer.path, layer.op), []).append(layer)
    return any(
        earlier.inputs == later.inputs or earlier.index in graph.ancestors(later)
        for met in calls.values()
        for earlier, later in pairwise(met)
    )
