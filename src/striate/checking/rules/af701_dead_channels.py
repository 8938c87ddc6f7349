"""AF701 dead-channels

## What it finds

A ReLU behind which a quarter or more of the channels are zero at every position of every image
that was looked at.

## Why it is bad

A channel that is never above zero says nothing to any layer behind it, and no gradient flows
through its ReLU: the filter that makes it can never change again. Its parameters and
multiply-accumulates, and those of the weights that read it, are paid for in every step and every
prediction. Rates that were too high at the start are the usual cause.

## Bad

```python
import torch
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
with torch.no_grad():
    net[0].bias[:8] = -100.0
image = (3, 8, 8)
```

Fires at `1`.

## Good

```python
import torch
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
with torch.no_grad():
    net[0].bias[:1] = -100.0
image = (3, 8, 8)
```

## How it is measured

The greatest value of each channel behind each call of a ReLU or ReLU6, over a sample of the run's
validation images. Found where a quarter of the channels, and at least four, never get above zero.
Where the run's own record of its training has the layer (ReLUs that are modules, in about fifty
steps, over that step's batch), it says since when that many have been dead: the first of the looks
that all show it up to the last, if there are three.
The price is the dead channels' share of the convolution or dense layer that makes them.

## Limits

A sample may lack what a channel is for: a rare class, a rare texture. GELU and SiLU pass a little
below zero too, and have no dead channels in this sense.

## References

Lu et al., "Dying ReLU and initialization" (arXiv 1903.06733). Molchanov et al., "Pruning
convolutional neural networks" (arXiv 1611.06440), section 2.2, on activations as a criterion.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.ends import behind
from striate.checking.graph import NORMS, Graph
from striate.checking.rule import Given, Spot
from striate.checking.since import lasting, when
from striate.checking.watched import least_dead
from striate.checking.words import many, place
from striate.records import Health, Price, Severity, Trace, Units
from striate.records.health import WatchedStep

CODE = "AF701"
NAME = "dead-channels"
SEVERITY: Severity = "warning"
ASKS = ("health",)
SILENT_IF = ("AF708",)  # nothing that was measured holds then

_KILLED = (
    "train again with a lower rate or a longer warmup, put a norm before the activation, or take "
    "these channels out."
)
_BORN = (
    "they were dead in step 1 already: begin with other weights or biases, put a norm before the "
    "activation, or take these channels out."
)


def find(trace: Trace, given: Given) -> Iterator[Spot]:
    """ReLUs behind which many channels are always zero."""
    graph = Graph(trace)
    if given.health is None:
        return
    for units in given.health.units:
        if units.dead < least_dead(units.channels) or units.index not in graph:
            continue
        layer = graph[units.index]
        maker = behind(graph, layer, NORMS)
        share = units.dead / units.channels
        since = _since(units, given.health)
        known = "" if since is None else _told(units, since)
        made = place(maker.path) if maker is not None else "the layer before"
        price = Price()
        if maker is not None:
            price = Price(params=round(share * maker.params), macs=round(share * (maker.macs or 0)))
        yield Spot(
            at=layer,
            message=(
                f"{units.dead} of {many(units.channels, 'channel')} are zero at every position of "
                f"{many(given.health.images, 'image')}: what {made} does for them is lost."
                f"{known}"
            ),
            measured={
                "dead": units.dead,
                "channels": units.channels,
                "images": given.health.images,
                **({} if since is None else {"since_step": since.step}),
            },
            price=price,
            fix=_BORN if since is not None and since.step == 1 else _KILLED,
        )


def _since(units: Units, health: Health) -> WatchedStep | None:
    """Since which look so many of these have been dead; None where that was not seen."""
    same = [one for one in health.units if (one.path, one.op) == (units.path, units.op)]
    call = same.index(units)
    seen: list[tuple[WatchedStep, bool]] = []
    for step in health.watched:
        calls = [one for one in step.units if (one.path, one.op) == (units.path, units.op)]
        if call < len(calls):
            seen.append((step, calls[call].dead >= least_dead(units.channels)))
    return lasting(seen)


def _told(units: Units, since: WatchedStep) -> str:
    least = least_dead(units.channels)
    return f" In all batches looked at from {when(since)} on, {least} or more were."
