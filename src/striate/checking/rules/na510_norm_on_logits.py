"""NA510 norm-on-logits

## What it finds

A norm on the class scores themselves, behind the last layer.

## Why it is bad

How far the scores of an image lie apart is how sure the network is, and a norm takes that away.
A layer norm gives every image the same spread: of ten scores with mean 0 and deviation 1 none gets
a probability above 76 %, be the image ever so clear, until the norm's gain has grown. A batch norm
gives every class the same mean over the batch: rare classes are pushed up and frequent ones down,
and in training an image's scores depend on its neighbours.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10, bias=False), nn.BatchNorm1d(10),
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

The last operation before an output of shape (N, K), K at least 2, is a norm on what a convolution
or dense layer gives.

## Limits

A tower that ends in an embedding, not in classes, may well end in a norm (the projectors of
self-supervised learning do): ignore the rule there.

## References

Guo et al., "On calibration of modern neural networks" (arXiv 1706.04599), on the scale of logits
as confidence. Chen and He, "Exploring simple Siamese representation learning" (arXiv 2011.10566),
section 3, for the exception.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.ends import behind, last_say, outputs, removal, scores
from striate.checking.graph import NORMS, Graph
from striate.checking.rule import Spot
from striate.checking.words import place
from striate.records import Severity, Trace

CODE = "NA510"
NAME = "norm-on-logits"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")  # what is last is not known then


def find(trace: Trace) -> Iterator[Spot]:
    """Norms that have the last say."""
    graph = Graph(trace)
    for out in outputs(graph):
        last = last_say(graph, out)
        layer = behind(graph, last) if last.op in NORMS and scores(last) > 1 else None
        if layer is None:
            continue
        kind = last.op.replace("_", " ")
        over = "each class over the batch" if last.op == "batch_norm" else "each image's scores"
        yield Spot(
            at=last,
            message=(
                f"the {scores(last)} scores of {place(layer.path)} go through a {kind}, which "
                f"gives {over} one mean and one spread, however sure the network is."
            ),
            measured={"op": last.op, "classes": scores(last), "layer": layer.path},
            fix=f"take the {kind} away, or move it before {place(layer.path)}.",
            edits=removal(last),
        )
