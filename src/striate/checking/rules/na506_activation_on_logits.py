"""NA506 activation-on-logits

## What it finds

A network whose last operation is an activation on its class scores, such as a ReLU or a tanh.

## Why it is bad

Scores should be free to say "surely not". Behind a ReLU a class whose score is below zero has no
gradient: it cannot be pushed up on images where it is the right one, and a class that is below
zero for every image is lost for good. All scores of an image can be zero, and the answer is then
a guess. A tanh keeps scores within 1 of zero: with K classes no probability gets above
1 / (1 + (K − 1) / e²).

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10), nn.ReLU(),
)
image = (3, 32, 32)
```

Fires at `6`.

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

The last operation before an output of shape (N, K), K at least 2, behind what only reshapes it,
and what makes probabilities of it, is an activation, and what it works on comes from a convolution
or dense layer, with or without a norm. Sigmoid has a rule of its own ([NA505](na505.md)).

## Limits

Softplus and clamps are silent: they are how a regression keeps its answer in a range. A tower
without its classifier, whose features are wanted positive, ends like this by design: ignore the
rule there. SqueezeNet averages its scores over the map after a ReLU, which is left alone.

## References

Lu et al., "Dying ReLU and initialization" (arXiv 1903.06733). Iandola et al., "SqueezeNet" (arXiv
1602.07360), for the exception.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.ends import behind, last_say, outputs, removal, scores
from striate.checking.graph import ACTIVATIONS, NORMS, Graph
from striate.checking.rule import Spot
from striate.checking.words import place
from striate.records import Layer, Severity, Trace

CODE = "NA506"
NAME = "activation-on-logits"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")  # what is last is not known then

SQUASHES = ACTIVATIONS - {"sigmoid", "hardsigmoid", "softplus", "clamp"}
FLAT = frozenset({"relu", "relu6"})
"""Without a gradient below zero."""


def find(trace: Trace) -> Iterator[Spot]:
    """Activations that have the last say."""
    graph = Graph(trace)
    for out in outputs(graph):
        last = _scores_of(graph, out)
        if last.op not in SQUASHES or scores(last) < 2:
            continue
        layer = behind(graph, last, NORMS)
        if layer is None:
            continue
        harm = "one below zero gets no gradient" if last.op in FLAT else "it bends and bounds them"
        yield Spot(
            at=last,
            message=(
                f"the {scores(last)} scores of {place(layer.path)} go through a {last.op} before "
                f"they are returned: {harm}."
            ),
            measured={"op": last.op, "classes": scores(last), "layer": layer.path},
            fix=f"take the {last.op} away: the last layer's scores are the logits.",
            edits=removal(last),
        )


def _scores_of(graph: Graph, out: Layer) -> Layer:
    """The operation that has the last say over the scores, before they are made probabilities."""
    last = last_say(graph, out)
    source = graph.source(last)
    if last.op in ("softmax", "log_softmax") and source is not None:
        return last_say(graph, source)
    return last
