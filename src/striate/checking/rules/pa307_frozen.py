"""PA307 frozen

## What it finds

Parameters in use that training leaves as they are, since their `requires_grad` is False, in a
network whose other parameters are trained.

## Why it is bad

It is not, where pretrained layers are kept on purpose. In a network that is to be trained from the
start, frozen layers are random filters that never improve: a switch for fine-tuning that stayed
on, or that was put the wrong way round.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.Conv2d(16, 32, 3, padding=1).requires_grad_(False), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

Fires at `2`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

## How it is measured

Parameters that the forward uses and whose `requires_grad` is False, by the largest modules of
which all parameters are so. A network of which everything is frozen is one for inference, and
silent.

## Limits

Whether the frozen weights were trained before is not known to a trace.

## References

Yosinski, Clune, Bengio and Lipson, "How transferable are features in deep neural networks?"
(arXiv 1411.1792), on freezing what was trained.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.modules import first_in, whole_modules
from striate.checking.rule import Spot
from striate.checking.words import count, percent
from striate.records import Severity, Trace

CODE = "PA307"
NAME = "frozen"
SEVERITY: Severity = "info"


def find(trace: Trace) -> Iterator[Spot]:
    """The largest modules that are frozen in a network that is not."""
    frozen = [name for name in trace.frozen if name not in trace.unused]
    if len(trace.frozen) == len(trace.parameters):
        return
    for path, names in whole_modules(frozen, trace.parameters).items():
        params = sum(trace.parameters.get(name, 0) for name in names)
        yield Spot(
            at=first_in(trace, path),
            message=(
                f"its {count(params)} parameters "
                f"({percent(params / max(1, trace.totals.params))} of the network) are frozen: "
                "training leaves them as they are."
            ),
            measured={"parameters": names, "elements": params},
            fix="call requires_grad_(True) on it, unless it was trained before and is to stay.",
        )
