"""CO604 training-memory

## What it finds

A network that cannot be trained in the memory there is, at the batch that is wanted.

## Why it is bad

It is found out otherwise when the first step fails, or the third, when the largest image comes; and
then the batch is halved until it goes, with a learning rate that was chosen for another.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
image = (3, 64, 64)
memory, batch = 256 * 2**20, 128
```

Fires at `1`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
image = (3, 64, 64)
memory, batch = 256 * 2**20, 64
```

## How it is measured

Parameters, buffers, gradients and the optimiser's state once, and for each image what the forward
keeps for backward, as autograd itself keeps it. The batch is that of `--batch`, or of the run, or
1; the optimiser's state is counted where it is known. The mend names the largest batch that fits.
The place is the layer that keeps most.

## Limits

It is the least that training takes: gradients on their way, what a library takes as workspace, and
what the allocator cannot use come on top, a tenth to a third as a rule. Types are those of the
traced network: mixed precision keeps less. Checkpointing trades memory for time, and is not seen.

## References

Chen et al., "Training deep nets with sublinear memory cost" (arXiv 1604.06174). Rajbhandari et al.,
"ZeRO" (arXiv 1910.02054), section 3, on where memory goes.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.rule import Given, Spot
from striate.checking.words import many, percent
from striate.records import Price, Severity, Trace
from striate.records.optimiser import known_optimiser

CODE = "CO604"
NAME = "training-memory"
SEVERITY: Severity = "warning"
ASKS = ("memory",)
SILENT_IF = ("SH100", "RE401")  # the rest of the network is not known then

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def find(trace: Trace, given: Given) -> Iterator[Spot]:
    """The layer that keeps most, if all together keep too much."""
    totals, budget = trace.totals, given.memory or 0
    copies = known_optimiser(given.optimiser).copies if given.optimiser else 0
    fixed = totals.train_bytes - totals.saved_bytes + copies * totals.gradient_bytes
    traced = trace.layers[0].shape[0] if trace.layers else 1
    each = totals.saved_bytes / max(traced, 1)
    batch = given.batch or 1
    needed = fixed + round(each * batch)
    if not trace.layers or needed <= budget:
        return
    fits = int((budget - fixed) / each) if each and budget > fixed else 0
    most = max(trace, key=lambda layer: layer.saved_bytes)
    state = f" with {given.optimiser}" if given.optimiser else ""
    yield Spot(
        at=most,
        message=(
            f"training{state} on {many(batch, 'image')} at a time takes at least {_size(needed)}, "
            f"{_size(fixed)} of it for any batch; there are {_size(budget)}. This layer keeps "
            f"{percent(most.saved_bytes / max(totals.saved_bytes, 1))} of that for backward."
        ),
        measured={"bytes": needed, "fixed_bytes": fixed, "batch": batch, "fits": fits},
        price=Price(bytes=needed - budget),
        fix=(
            f"use batches of {fits} at most, smaller images, or mixed precision."
            if fits
            else "use smaller images, or a smaller network: not one image fits."
        ),
    )


def _size(number: float) -> str:
    """Bytes to three figures.

    >>> [_size(n) for n in (512, 1536, 16 * 2**30)]
    ['512 bytes', '1.50 KiB', '16.0 GiB']
    """
    units = iter(UNITS)
    unit = next(units)
    while number >= 1024 and unit != UNITS[-1]:
        number, unit = number / 1024, next(units)
    if unit == UNITS[0]:
        return f"{number:.0f} {unit}"
    return f"{number:.{0 if number >= 100 else 1 if number >= 10 else 2}f} {unit}"
