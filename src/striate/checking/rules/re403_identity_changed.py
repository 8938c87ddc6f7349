"""RE403 identity-changed

## What it finds

A skip without weights that is no identity: an activation, a norm or a dropout stands on it, or a
batch norm stands on the stream between one addition and the next; and a projected skip that ends in
an activation.

## Why it is bad

With identities all the way, every block's input reaches every later block unchanged, and so does
the gradient on its way back. A function on the skip is applied once for each block: the signal is
clipped, scaled or noisy again and again. On CIFAR-10 with ResNet-110 (6.61 % error) batch norm
behind each addition gives 8.17 %, scaling skip and branch by a half 12.35 %, and dropout on the
skip does not converge.

## Bad

```python
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(16)
        self.keep = nn.Tanh()

    def forward(self, x):
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        return (self.keep(x) + y).relu()

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

Fires at `2.keep`.

## Good

```python
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(16)

    def forward(self, x):
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        return (x + y).relu()

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

## How it is measured

For every sum, the two inputs are followed back to where their ways part. If the way with fewer
weight layers has none, it is a skip, and what stands on it is looked at: activations, batch norms
and dropouts count; pools, padding and slices, which only fit its shape, do not. The activation
that a block applies to its input before it parts counts too when it stands inside that block. A
batch norm counts on the stream when it reads one sum, and the next sum's ways part behind it.

## Limits

A ReLU behind the addition, as in every ResNet of 2015, is the classical form and silent (RE405
says from what depth on it costs accuracy). Where the branch has no activation, both ways are
linear and can be folded into one (RepVGG), and nothing is said. Products are gates.

## References

He, Zhang, Ren and Sun, "Identity mappings in deep residual networks" (arXiv 1603.05027), tables 1
and 2.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import ACTIVATIONS, SAME, Graph, is_weighted
from striate.checking.modules import is_in
from striate.checking.residual import SUMS, Sum, sums
from striate.checking.rule import Spot
from striate.checking.words import many
from striate.records import Edit, Layer, Severity, Trace

CODE = "RE403"
NAME = "identity-changed"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")

DROPS = frozenset({"dropout", "feature_dropout", "alpha_dropout"})
CHANGES = ACTIVATIONS | DROPS | {"batch_norm"}


def find(trace: Trace) -> Iterator[Spot]:
    """Each function on an identity, at its first place; norms on the stream together."""
    graph = Graph(trace)
    found = [one for one in sums(graph, trace) if _bends(one)]
    joins = {one.join.index for one in found}
    normed: list[Layer] = []
    for one in found:
        if one.is_projected:
            end = graph.back(one.head, SAME)
            if end.op in ACTIVATIONS and sum(map(is_weighted, one.skip)) == 1 and end in one.skip:
                yield _spot(end, "1 operation")
            continue
        if not one.carries_input:
            continue
        changed = [layer for layer in one.skip if layer.op in CHANGES and not layer.gate]
        own = _activated_inside(graph, one)
        if changed:
            yield _spot(changed[0], many(len(changed), "operation"))
        elif own is not None:
            yield _in_place(own)
        norm = _norm_on_stream(graph, one, joins)
        if norm is not None:
            normed.append(norm)
    if normed:
        yield Spot(
            at=normed[0],
            message=(
                f"a batch norm stands on the stream behind {many(len(normed), 'addition')}: every "
                "later block's identity passes through it, forwards and backwards."
            ),
            measured={"norms": [layer.path for layer in normed]},
            fix="put the norm at the end of the branch, before the addition.",
        )


def _spot(at: Layer, how_many: str) -> Spot:
    return Spot(
        at=at,
        message=(
            f"{how_many} on the skip ({at.op} here): the identity path is not an identity, and "
            "what is added to the branch is not the block's input."
        ),
        measured={"op": at.op},
        fix="add the block's input as it is; put the function on the branch if it is needed.",
        edits=(Edit(path=at.path, argument=None),) if _is_leaf(at) else (),
    )


def _in_place(at: Layer) -> Spot:
    return Spot(
        at=at,
        message=(
            f"this {at.op} changes the block's input before the skip takes it (in place, as a "
            "rule): the identity path is not an identity."
        ),
        measured={"op": at.op},
        fix=(
            "give the branch an activation without inplace=True, and add the block's input as it "
            "is."
        ),
        edits=(Edit(path=at.path, argument="inplace", value=False),) if _is_leaf(at) else (),
    )


def _is_leaf(layer: Layer) -> bool:
    """Whether its module does this one operation."""
    return layer.module.lower().removesuffix("2d") == layer.op.replace("_", "")


def _bends(one: Sum) -> bool:
    """Whether the branch has an activation of its own, so that the two ways cannot be folded."""
    return any(layer.op in ACTIVATIONS and not layer.gate for layer in one.branch)


def _activated_inside(graph: Graph, one: Sum) -> Layer | None:
    """The activation inside this block behind which its identity begins, or None."""
    fork = one.fork
    if not one.is_identity or fork.op not in ACTIVATIONS or not one.join.path:
        return None
    inside = is_in(fork.path, one.join.path)
    source = graph.source(fork)
    before = None if source is None else graph.back(source, SAME)
    # behind another sum of the same module it is that sum's own activation
    if not inside or before is None or is_in(before.path, one.join.path):
        return None
    return fork


def _norm_on_stream(graph: Graph, one: Sum, joins: set[int]) -> Layer | None:
    """The batch norm between the sum before and this one's fork, or None."""
    here: Layer | None = one.head if one.skip else one.fork
    norm: Layer | None = None
    if one.skip:
        return None
    while here is not None and here.index not in joins:
        if here.op == "batch_norm":
            norm = here
        elif here.op not in ACTIVATIONS and here.op not in SAME:
            return None
        here = graph.source(here)
    return norm if here is not None and here.op in SUMS else None
