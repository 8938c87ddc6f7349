"""NA509 dropout-on-logits

## What it finds

Dropout on the class scores themselves, behind the last layer.

## Why it is bad

In training a dropped score is not missing but zero. With share p the right class is set to zero,
whatever the image, and the loss punishes the layers below for it; the rest is scaled by
1 / (1 − p), so that training sees other probabilities than evaluation, which is why such a network
is badly calibrated. Dropout belongs before the last layer, where it hides features.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10), nn.Dropout(0.5),
)
image = (3, 32, 32)
```

Fires at `6`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

## How it is measured

The last operation before an output of shape (N, K), K at least 2, is a dropout whose share is not
0, on what a convolution or dense layer gives, with or without a norm.

## Limits

A function that drops in training alone, without a call in evaluation, is not in the trace.

## References

Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (JMLR 15,
2014), where it is applied to inputs and hidden units.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.ends import DROPOUTS, behind, last_say, outputs, removal, scores
from striate.checking.graph import NORMS, Graph
from striate.checking.rule import Spot
from striate.checking.words import percent, place
from striate.records import Severity, Trace

CODE = "NA509"
NAME = "dropout-on-logits"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")  # what is last is not known then


def find(trace: Trace) -> Iterator[Spot]:
    """Dropouts that have the last say."""
    graph = Graph(trace)
    for out in outputs(graph):
        last = last_say(graph, out)
        share = float(last.attrs.get("p", 0.0)) if last.op in DROPOUTS else 0.0
        layer = behind(graph, last, NORMS) if share and scores(last) > 1 else None
        if layer is None:
            continue
        yield Spot(
            at=last,
            message=(
                f"{percent(share)} of the {scores(last)} scores of {place(layer.path)} are set to "
                "zero in each step of training, the right class among them."
            ),
            measured={"p": share, "classes": scores(last), "layer": layer.path},
            fix=f"move the dropout before {place(layer.path)}.",
            edits=removal(last),
        )
