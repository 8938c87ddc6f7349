"""NA505 softmax-output

## What it finds

A network whose last operation is a softmax or a sigmoid over its class scores.

## Why it is bad

Losses apply it themselves: `cross_entropy` takes logits and begins with a log-softmax,
`binary_cross_entropy_with_logits` with a sigmoid. Given probabilities, the first is a softmax of
a softmax: scores between 0 and 1 can differ by 1 at most, so with K classes no probability gets
above e / (e + K − 1), the loss cannot go below log(1 + (K − 1) / e) (1.46 for ten classes), and
the gradient is small where the network is wrong and sure. Training runs, slowly, and ends worse.
Where the loss does take probabilities (`nll_loss` of their logarithm, `binary_cross_entropy`),
nothing is learnt from a score that was rounded to 0 or 1, and half precision rounds soon.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10), nn.Softmax(dim=1),
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

The last operation before an output, behind what only reshapes it: a softmax over the classes
(dimension 1 of (N, K) or (N, K, H, W)), or a sigmoid over (N, K). The least loss is that of
`cross_entropy` where the right class is given 1 and the others 0: log(1 + (K − 1) / e).

## Limits

The loss is not part of the network, and is not seen. A sigmoid over a map is silent: it may be
the picture that an autoencoder or a generator gives. So is a log-softmax, which
[NA514](na514.md) speaks of. A network that is exported for others may end in a softmax: put it
there then, not where it is trained.

## References

PyTorch, `torch.nn.CrossEntropyLoss`: "the input is expected to contain the unnormalized logits
for each class"; `torch.nn.BCEWithLogitsLoss`, on the stability of taking both in one.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import e, log

from striate.checking.ends import last_say, outputs, removal, scores
from striate.checking.graph import Graph
from striate.checking.rule import Spot
from striate.records import Layer, Severity, Trace

CODE = "NA505"
NAME = "softmax-output"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")  # what is last is not known then


def find(trace: Trace) -> Iterator[Spot]:
    """Softmax and sigmoid that the loss would apply again."""
    graph = Graph(trace)
    for out in outputs(graph):
        last = last_say(graph, out)
        classes = _classes(last)
        if not classes:
            continue
        least = log(1 + (classes - 1) / e)
        yield Spot(
            at=last,
            message=_message(last, classes, least),
            measured={"op": last.op, "classes": classes, "least_loss": round(least, 4)},
            fix=(
                f"take the {last.op} away, so that the network returns logits, and apply it where "
                "probabilities are shown."
            ),
            edits=removal(last),
        )


def _classes(last: Layer) -> int:
    """Over how many classes it is taken; 0 where it is no such thing."""
    if last.op == "softmax":
        row = scores(last) or (last.shape[1] if len(last.shape) == 4 else 0)
        return row if last.attrs.get("dim") == 1 else 0
    return scores(last) if last.op == "sigmoid" and not last.gate else 0


def _message(last: Layer, classes: int, least: float) -> str:
    if last.op == "softmax" and classes == 1:
        return "a softmax over one score is 1, whatever the image."
    if classes == 1:
        return (
            "the one score goes through a sigmoid: binary_cross_entropy_with_logits applies it "
            "again, and binary_cross_entropy learns nothing from a score that was rounded to 0 "
            "or 1."
        )
    return (
        f"the {classes} class scores go through a {last.op} before they are returned: "
        f"cross_entropy applies a softmax again, and its loss then cannot go below {least:.2f}."
    )
