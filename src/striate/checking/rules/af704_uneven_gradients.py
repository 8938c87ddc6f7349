"""AF704 uneven-gradients

## What it finds

A network whose first layers get gradients ten thousand times smaller, or larger, for their weights
than its last layers.

## Why it is bad

One rate moves all layers. Where gradients vanish on their way down, the first layers stay as they
were initialised, and all that follows works on random features; where they explode, the first
layers are thrown about by a step that is right for the last. Both grow with depth, and both are
what norms, skips and careful starts are for.

## Bad

```python
import torch
from torch import nn

def block(width):
    return nn.Sequential(nn.Linear(width, 32), nn.Sigmoid())

def network(scale):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), block(192), *[block(32) for _ in range(3)], nn.Linear(32, 10))
    with torch.no_grad():
        for number in range(1, 5):
            net[number][0].weight *= scale
    return net

start, net = network(0.1), network(10)
image = (3, 8, 8)
```

Fires at `1.0`.

## Good

```python
import torch
from torch import nn

def block(width):
    return nn.Sequential(nn.Linear(width, 32), nn.GELU())

def network(scale):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), block(192), *[block(32) for _ in range(3)], nn.Linear(32, 10))
    with torch.no_grad():
        for number in range(1, 5):
            net[number][0].weight *= scale
    return net

start, net = network(1), network(10)
image = (3, 8, 8)
```

## How it is measured

‖gradient‖ / ‖weight‖ of each weight, on one batch of the run's validation images: of the network
as it was before step 1, in training mode, where it can be made again, else of the trained one. The
median over the first third of the weights, in the order of the forward, against that over the last
third. Weights whose gradient is exactly zero are left out: a branch behind a norm that starts at
zero has none at first, by design. Found beyond a factor of 10,000, or where one is not finite.

Where the run has a record of its training (about fifty steps, each step's own batch), the same is
asked of each of them: what was uneven before step 1 is said to last or to have ended, with the step
since when, and what was even then and has been uneven in the last three looks or more is found too.

## Limits

An optimiser that scales each gradient (Adam) hides much of it, until the smallest are lost in its
epsilon. One batch is a sample.

## References

Glorot and Bengio (AISTATS 2010), figure 7. You, Gitman and Ginsburg, "Large batch training of
convolutional networks" (arXiv 1708.03888), section 4, on the ratio of weight and gradient norms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from striate.checking.rule import Given, Spot
from striate.checking.since import LOOKS, lasting, when
from striate.checking.uneven import Uneven, gradients_of, uneven
from striate.checking.words import place
from striate.records import Layer, Severity, Trace
from striate.records.health import WatchedStep

CODE = "AF704"
NAME = "uneven-gradients"
SEVERITY: Severity = "warning"
ASKS = ("health",)
SILENT_IF = ("AF708",)  # nothing that was measured holds then


def find(trace: Trace, given: Given) -> Iterator[Spot]:
    """The first weight of a network whose gradients vanish or explode on their way to it."""
    health = given.health
    if health is None or not trace.layers:
        return
    order = {path: number for number, path in enumerate(dict.fromkeys(one.path for one in trace))}
    found = uneven(health.started or health.ended, order)
    looks = [(step, uneven(gradients_of(step), order)) for step in health.watched]
    since = lasting([(step, one is not None) for step, one in looks])
    moment = "before step 1" if health.started else "after training"
    later = _later(looks, since) if found is not None and health.started else ""
    if found is None and since is not None:
        found = next(one for step, one in looks if step is since)
        moment = f"from {when(since)} on, not {moment}"
    if found is None:
        return
    if found.broken:
        message = f"the gradient of {place(found.worst)} is not finite {moment}."
    else:
        kind = "vanish" if found.factor < 1 else "explode"
        message = (
            f"gradients {kind} {moment}: for their weights, those of the first {found.third} "
            f"layers are {found.factor:.0e} of those of the last {found.third}.{later}"
        )
    yield Spot(
        at=_layer(trace, found.worst),
        message=message,
        measured={
            "first": found.first,
            "last": found.last,
            "weights": found.weights,
            **({} if since is None else {"since_step": since.step}),
        },
        fix="put a norm before each activation, add skips, or use ReLU with its own start.",
    )


def _later(looks: Sequence[tuple[WatchedStep, Uneven | None]], since: WatchedStep | None) -> str:
    """What became of gradients that were uneven before step 1; nothing where it was not seen."""
    if len(looks) < LOOKS:
        return ""
    last, one = looks[-1]
    if one is not None:
        return f" They still did in {when(last)}." if since is not None else ""
    even = lasting([(step, found is None) for step, found in looks])
    return "" if even is None else f" From {when(even)} on they no longer did."


def _layer(trace: Trace, path: str) -> Layer:
    return next((layer for layer in trace if layer.path == path), trace.layers[0])
