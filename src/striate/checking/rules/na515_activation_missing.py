"""NA515 activation-missing

## What it finds

Two layers, or a sum and a layer, without an activation between, where the network has one nearly
everywhere else between two of the same kind; and one branch without an activation beside others
that have one.

## Why it is bad

Whether a place should be linear is a matter of design: behind a depthwise convolution MobileNet
has an activation and Xception none. But a design is the same in every block, and one block that
lacks what all its siblings have lost it by accident. It is not seen in a loss curve, only as a
network that is a little worse than it was published to be.

## Bad

```python
from torch import nn

def separable(width, between):
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False), nn.BatchNorm2d(width),
        between, nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
    )

net = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
    separable(32, nn.ReLU()), separable(32, nn.ReLU()), separable(32, nn.Identity()),
    separable(32, nn.ReLU()), separable(32, nn.ReLU()),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 8, 8)
```

Fires at `5.3`.

## Good

```python
from torch import nn

def separable(width, between):
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False), nn.BatchNorm2d(width),
        between, nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
    )

net = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
    separable(32, nn.ReLU()), separable(32, nn.ReLU()), separable(32, nn.ReLU()),
    separable(32, nn.ReLU()), separable(32, nn.ReLU()),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 8, 8)
```

## How it is measured

From each convolution or dense layer back, through norms, activations, max pools and dropout, to
what made its input: another such layer or a sum. Pairs are of one kind if the makers are (sum,
dense, depthwise, grouped, 1×1, larger), the readers are, there is a norm in both or in neither,
and a skip reads the maker in both or in neither. At least 4 pairs of a kind must have an
activation where one has none, and 6 for each that has none where several do not. A branch is found
where a concatenation, and nothing else, reads it together with three or more that each end in an
activation. Silent are:

- pairs with nothing but batch norm between, which [NA504](na504.md) judges by arithmetic;
- a layer that narrows, which ends a linear bottleneck;
- a sum that no skip reads: the last of a row is often left without one.

## Limits

A network of a few blocks has no habits to go by. Where half of the blocks lack the activation,
it is taken for the design.

## References

Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks" (arXiv 1801.04381),
section 3.2. Chollet, "Xception" (arXiv 1610.02357), section 4.7 and figure 10.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from striate.checking.graph import (
    ACTIVATIONS,
    DENSE,
    JOINS,
    NORMS,
    SAME,
    Graph,
    channels,
    groups,
    is_depthwise,
    is_weighted,
    kernel,
    pair,
)
from striate.checking.linear import LINEAR, is_factorised, linear_before
from striate.checking.rule import Spot
from striate.checking.words import place
from striate.records import Layer, Severity, Trace

CODE = "NA515"
NAME = "activation-missing"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")  # who else reads an output is not known then

PASSED = SAME | NORMS | ACTIVATIONS | {"max_pool2d", "interpolate"}
ENOUGH = 4  # pairs of a kind that show what the design is
MAJORITY = 6  # as many times as often, where several have none
BRANCHES = 3  # others that have one

Kind = tuple[str, tuple[int, int], str, bool, bool]


def find(trace: Trace) -> Iterator[Spot]:
    """Readers that an activation is missing before, and branches that end without one."""
    graph = Graph(trace)
    yield from _in_rows(graph)
    yield from _in_branches(graph)


def _in_rows(graph: Graph) -> Iterator[Spot]:
    active: dict[Kind, int] = defaultdict(int)
    linear: dict[Kind, list[tuple[Layer, Layer]]] = defaultdict(list)
    for layer in graph.trace:
        if layer.op not in LINEAR or layer.gate or not graph.sees_image(layer):
            continue
        maker, between = _maker(graph, graph.source(layer))
        if maker is None:
            continue
        normed = any(one.op in NORMS for one in between)
        skipped = any(user.op in JOINS for one in (maker, *between) for user in graph.users(one))
        kind = (_sort(maker), pair(maker, "stride", 1), _sort(layer), normed, skipped)
        if any(one.op in ACTIVATIONS for one in between):
            active[kind] += 1
        elif not _is_meant(graph, maker, layer, skipped=skipped):
            linear[kind].append((maker, layer))
    for kind, pairs in linear.items():
        if active[kind] < (ENOUGH if len(pairs) == 1 else MAJORITY * len(pairs)):
            continue
        for maker, layer in pairs:
            yield Spot(
                at=layer,
                message=(
                    f"no activation lies between {_noun(maker)} {place(maker.path)} and this "
                    f"{_noun(layer)}; at {active[kind]} places like this one there is one."
                ),
                measured={
                    "first": maker.path,
                    "with_activation": active[kind],
                    "without": len(pairs),
                },
                fix=f"put the activation of the others behind {place(maker.path)}.",
            )


def _in_branches(graph: Graph) -> Iterator[Spot]:
    """Of the branches that a concatenation puts together, the only one without an activation."""
    for cat in graph.trace:
        if cat.op != "cat" or not graph.sees_image(cat):
            continue
        ends = [_maker(graph, source) for source in graph.sources(cat)]
        made = [(maker, between) for maker, between in ends if maker and is_weighted(maker)]
        made = [
            (maker, between)
            for maker, between in made
            if all(graph.only_user(one) is not None for one in (maker, *between))
        ]
        bare = [
            maker for maker, between in made if not any(one.op in ACTIVATIONS for one in between)
        ]
        others = len(made) - len(bare)
        if len(bare) == 1 and others >= BRANCHES:
            yield Spot(
                at=bare[0],
                message=(
                    f"no activation lies between this {_noun(bare[0])} and the concatenation in "
                    f"{place(cat.path)}; the {others} other branches have one."
                ),
                measured={"first": bare[0].path, "with_activation": others, "without": 1},
                fix="put the activation of the others behind it.",
            )


def _maker(graph: Graph, here: Layer | None) -> tuple[Layer | None, list[Layer]]:
    """What made ``here``, a weight layer or a sum, and the layers since."""
    between: list[Layer] = []
    while here is not None and here.op in PASSED and len(graph.sources(here)) == 1:
        between.append(here)
        here = graph.source(here)
    if here is None or here.gate:
        return None, between
    made = here.op in LINEAR or (here.op == "add" and len(graph.sources(here)) == 2)
    return (here if made else None), between


def _sort(layer: Layer) -> str:
    if not is_weighted(layer):
        return "sum"
    if layer.op in DENSE:
        return "dense"
    if is_depthwise(layer):
        return "depthwise"
    if groups(layer) > 1:
        return "grouped"
    return "1×1" if kernel(layer) == (1, 1) else "larger"


def _is_meant(graph: Graph, maker: Layer, layer: Layer, *, skipped: bool) -> bool:
    if not is_weighted(maker):
        return not skipped
    given, made = channels(maker)
    if made < given:
        return True
    return linear_before(graph, layer) is maker and not is_factorised(maker, layer)


def _noun(layer: Layer) -> str:
    if not is_weighted(layer):
        return "the sum" if layer.op == "add" else layer.op
    return "dense layer" if layer.op in DENSE else "convolution"
