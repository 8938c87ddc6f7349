"""RE402 deep-without-skips

## What it finds

32 or more weight layers (convolutions and dense layers) in one row, where nothing from further up
joins in between.

## Why it is bad

Beyond some 20 to 30 layers a plain network gets worse with every layer it is given, on the
training set too: the gradient reaches the early layers only through all the later ones. On
CIFAR-10 plain networks of 20, 32, 44 and 56 layers err on 10.08, 11.15, 14.12 and 15.39 % of the
test images; the same networks with skips on 8.75, 7.51, 7.17 and 6.97 %. On ImageNet the plain
network of 34 layers is worse than that of 18 (28.54 against 27.94 %), and with skips it is the
other way round (25.03 against 27.88 %).

## Bad

```toml
name = "plain32, larger images"
image = [3, 160, 160]
classes = 10

[stem]
width = 16

[[stages]]
block = "basic"
depth = 5
width = 16
skip = false

[[stages]]
block = "basic"
depth = 5
width = 32
stride = 2
skip = false

[[stages]]
block = "basic"
depth = 5
width = 64
stride = 2
skip = false
```

Fires at `stem.conv`.

## Good

```toml
name = "resnet32, larger images"
image = [3, 160, 160]
classes = 10

[stem]
width = 16

[[stages]]
block = "basic"
depth = 5
width = 16

[[stages]]
block = "basic"
depth = 5
width = 32
stride = 2

[[stages]]
block = "basic"
depth = 5
width = 64
stride = 2
```

## How it is measured

Every weight layer counts one more than what it works on. Where paths of unequal length meet (in a
sum or a concatenation of things computed from the image) the count begins anew, since the longer
can be bypassed by the shorter; branches of equal length are no way around each other, and are
counted through. A gate, which multiplies, is passed through by its shorter way. The longest count
is reported, with the layers it begins and ends at.

32 is the shallowest depth at which harm was measured. The deepest plain network in common use
that trains well has 28 weight layers (MobileNet v1, 70.6 % on ImageNet).

## Limits

A way around that is hardly shorter than what it goes around begins the count anew all the same
(the branches of an Inception module). Without normalisation, networks of half this depth are
already hard to train.

## References

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (arXiv 1512.03385), figure
1 and tables 2 and 6; the plain networks of 32 to 56 layers as reproduced by others. Howard et
al., "MobileNets" (arXiv 1704.04861).
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import JOINS, Graph, is_weighted
from striate.checking.rule import Spot
from striate.checking.words import place
from striate.records import Layer, Severity, Trace

CODE = "RE402"
NAME = "deep-without-skips"
SEVERITY: Severity = "warning"

SHALLOWEST_HARM = 32  # weight layers


def find(trace: Trace) -> Iterator[Spot]:
    """The longest run of weight layers without a way around, if it is too long."""
    run = _longest_run(Graph(trace))
    if len(run) < SHALLOWEST_HARM:
        return
    first, last = run[0], run[-1]
    yield Spot(
        at=first,
        message=(
            f"{len(run)} weight layers follow one another from here to {place(last.path)} with no "
            f"skip in between; plain networks get worse with depth from about "
            f"{SHALLOWEST_HARM} on."
        ),
        measured={"depth": len(run), "from": first.path, "to": last.path},
        fix=(
            "add the input of every two or three layers to their output (in an Arch: a residual "
            "block without skip = false), or use fewer layers."
        ),
    )


def _longest_run(graph: Graph) -> list[Layer]:
    depth: dict[int, int] = {}
    before: dict[int, Layer | None] = {}
    deepest: Layer | None = None
    for layer in graph.trace:
        sources = graph.sources(layer)
        if is_weighted(layer):
            sources = sources[:1]
        passes = layer.op not in JOINS or len({depth[source.index] for source in sources}) == 1
        shorter = min(sources, key=lambda s: depth[s.index], default=None)
        before[layer.index] = shorter if passes else None
        previous = before[layer.index]
        counts = is_weighted(layer) and graph.sees_image(layer)
        depth[layer.index] = (depth[previous.index] if previous else 0) + counts
        if counts and (deepest is None or depth[layer.index] > depth[deepest.index]):
            deepest = layer
    run: list[Layer] = []
    while deepest is not None:
        if is_weighted(deepest):
            run.append(deepest)
        deepest = before[deepest.index]
    return run[::-1]
