"""NA503 one-channel-groups

## What it finds

A group norm with as many groups as channels, in a network that classifies.

## Why it is bad

A group of one channel makes it an instance norm: each channel of each image is brought to mean 0
and deviation 1. How strongly a feature is there, compared with other features and other images, is
wiped out, and that is what a classifier asks. On ImageNet a ResNet-50 has 28.4 % error with groups
of one channel, and 24.2 % with groups of 16. As a rule the count of groups and of channels per
group were mistaken for each other, or the groups stayed while the width was cut.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.GroupNorm(32, 32), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

Fires at `1`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.GroupNorm(2, 32), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

## How it is measured

Groups and channels of each group norm over a map of several pixels, where the network returns a
row of numbers for each image. The mend is the published best, 16 channels to a group, or the
nearest whole divisor.

## Limits

`InstanceNorm2d` is silent: who writes it means it, and restyling and IBN-Net are built on it.
Groups that do not divide the channels cannot be built: PyTorch says so.

## References

Wu and He, "Group normalization" (arXiv 1803.08494), table 3: error by groups and by channels per
group. Pan et al., "Two at once: IBN-Net" (arXiv 1807.09441), on what instance norm removes.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from striate.checking.ends import outputs, scores
from striate.checking.graph import Graph
from striate.checking.rule import Spot
from striate.checking.words import many
from striate.records import Edit, Severity, Trace

CODE = "NA503"
NAME = "one-channel-groups"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401", "NA511")  # what it returns is not known; nothing is left of it

BEST = 16  # channels per group: Wu and He 2018, table 3


def find(trace: Trace) -> Iterator[Spot]:
    """Group norms that are instance norms."""
    graph = Graph(trace)
    if not any(scores(out) > 1 for out in outputs(graph)):
        return
    for layer in trace:
        channels = layer.shape[1] if len(layer.shape) > 1 else 0
        if layer.op != "group_norm" or layer.attrs.get("groups") != channels or channels < 2:
            continue
        if prod(layer.shape[2:]) < 2 or not graph.sees_image(layer):
            continue
        groups = _groups(channels)
        edit = Edit(path=layer.path, argument="num_groups", value=groups)
        yield Spot(
            at=layer,
            message=(
                f"{channels} groups over {channels} channels: each channel is normalised alone, "
                "and how strong it is in this image is lost."
            ),
            measured={"groups": channels, "channels": channels},
            fix=f"use {many(groups, 'group')}, of {channels // groups} channels.",
            edits=(edit,) if layer.module == "GroupNorm" else (),
        )


def _groups(channels: int) -> int:
    """As many groups as bring their size nearest to the best."""
    divisors = [size for size in range(1, channels + 1) if channels % size == 0 and size > 1]
    size = min(divisors, key=lambda size: (abs(size - BEST), -size))
    return channels // size
