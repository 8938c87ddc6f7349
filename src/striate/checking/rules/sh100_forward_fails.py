"""SH100 forward-fails

## What it finds

A network that cannot take the image it was given: its forward pass stops at some layer.

## Why it is bad

Nothing can be trained. PyTorch names the operation and its shapes, not the module they met in;
here the module, the line and, where arithmetic can tell it, the value that would fit are named
before a weight is allocated.

## Bad

The convolution leaves 8 maps of 32×32, which are 8192 features, not 512.

```python
from torch import nn

net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))
image = (3, 32, 32)
```

Fires at `3`.

## Good

```python
from torch import nn

net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8192, 10))
image = (3, 32, 32)
```

## How it is measured

The trace runs the forward on shapes alone. If an operation refuses its shapes, the trace ends
there, and this rule reports what it says of the failure.

## Limits

One failure hides those behind it: mend it and check again. A forward that depends on the values
in the image may fail on shapes alone although it runs on real images.

## References

PyTorch's [meta device](https://docs.pytorch.org/docs/stable/meta.html), which makes a forward on
shapes possible.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.rule import Spot
from striate.checking.words import sides
from striate.records import Failure, Severity, Trace

CODE = "SH100"
NAME = "forward-fails"
SEVERITY: Severity = "error"
SILENT_IF = ("RE401", "SH104")


def find(trace: Trace) -> Iterator[Spot]:
    """The failure a partial trace ends with."""
    failure = trace.failure
    if failure is None:
        return
    met = " and ".join(sides(shape) for shape in failure.shapes)
    yield Spot(
        at=failure,
        message=f"the forward pass of a {sides(trace.image)} image stops"
        + (f" at {failure.op}" if failure.op else "")
        + (f" on {met}" if met else "")
        + f": {failure.message.rstrip('.')}.",
        measured={
            "op": failure.op,
            "shapes": [list(shape) for shape in failure.shapes],
            "image": list(trace.image),
        },
        fix=_norms_one_value(failure) or failure.hint,
    )


def _norms_one_value(failure: Failure) -> str | None:
    """The mend where a norm has nothing to take a deviation of."""
    if "Expected more than 1" not in failure.message:
        return None
    return (
        "take this norm away: one value for each channel has no deviation; or norm before the map "
        "is pooled, or use larger images or batches."
    )
