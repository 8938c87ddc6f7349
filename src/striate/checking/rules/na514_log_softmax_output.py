"""NA514 log-softmax-output

## What it finds

A network whose last operation is a log-softmax over its class scores.

## Why it is bad

`cross_entropy` begins with a log-softmax of its own. The second changes nothing, so training is
sound, and pays twice; but whoever takes the outputs for logits with another loss
(`binary_cross_entropy_with_logits`), a margin, a temperature or a mean over several networks gets
something else than he thinks.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10), nn.LogSoftmax(dim=1),
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

The last operation before an output, behind what only reshapes it, is a log-softmax over the
classes, dimension 1 of (N, K) or (N, K, H, W).

## Limits

With `nll_loss` it is right: leave it, or take it away and write `cross_entropy`, which is the
same in one.

## References

PyTorch, `torch.nn.CrossEntropyLoss`: "equivalent to applying LogSoftmax on an input, followed by
NLLLoss".
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.ends import last_say, outputs, removal
from striate.checking.graph import Graph
from striate.checking.rule import Spot
from striate.records import Severity, Trace

CODE = "NA514"
NAME = "log-softmax-output"
SEVERITY: Severity = "info"
SILENT_IF = ("SH100", "RE401")  # what is last is not known then


def find(trace: Trace) -> Iterator[Spot]:
    """Log-softmax over classes that has the last say."""
    graph = Graph(trace)
    for out in outputs(graph):
        last = last_say(graph, out)
        row = len(last.shape) in (2, 4) and last.attrs.get("dim") == 1
        if last.op != "log_softmax" or not row:
            continue
        yield Spot(
            at=last,
            message=(
                f"the network returns the logarithms of {last.shape[1]} probabilities: "
                "cross_entropy takes the log-softmax of them again, and any other loss on logits "
                "takes them for what they are not."
            ),
            measured={"classes": last.shape[1]},
            fix="return the logits, and use cross_entropy.",
            edits=removal(last),
        )
