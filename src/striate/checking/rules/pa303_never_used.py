"""PA303 never-used

## What it finds

Parameters that the forward pass never touches: a layer that was made and is not called.

## Why it is bad

They get no gradient and stay as they were initialised, in every checkpoint and in every count of
the network's size; distributed training stops at them unless told to look for them. As a rule they
are the trace of a mistake: a skip's projection that is not applied, a layer whose name was
mistyped in `forward`.

## Bad

```python
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1)
        self.extra = nn.Conv2d(16, 16, 3, padding=1)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = self.conv2(self.conv1(x).relu()).relu()
        return self.head(x.mean((2, 3)))

net = Net()
image = (3, 32, 32)
```

Fires at `extra`.

## Good

```python
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1)
        self.extra = nn.Conv2d(16, 16, 3, padding=1)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = self.extra(self.conv2(self.conv1(x).relu()).relu()).relu()
        return self.head(x.mean((2, 3)))

net = Net()
image = (3, 32, 32)
```

## How it is measured

Every parameter that an operation of the forward used is noted by identity; the rest is unused.
Where there is such a rest, the forward is traced once more in training mode, so that auxiliary
heads, which run in training alone, do not count. One finding is made for the largest module of
which nothing is used; the price is its parameters.

## Limits

What another method than `forward` uses (a text tower, a method for pretraining) counts as unused.
A forward that branches on the values of the image is traced along one way.

## References

PyTorch, [`DistributedDataParallel`](https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html),
on `find_unused_parameters`.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.modules import is_in, owner, stand_in, whole_modules
from striate.checking.rule import Spot
from striate.checking.words import many, percent, place
from striate.records import Edit, Price, Severity, Trace

CODE = "PA303"
NAME = "never-used"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")  # what lies behind the failure was not reached


def find(trace: Trace) -> Iterator[Spot]:
    """The largest modules of which no parameter is used."""
    for path, names in whole_modules(trace.idle, trace.parameters).items():
        params = sum(trace.parameters.get(name, 0) for name in names)
        whole = bool(path) and path in trace.modules and len(_in(trace, path)) == len(names)
        named = " and ".join(f"`{name}`" for name in names[:3])
        what = (
            f"the {trace.modules[path]} {place(path)} is never called: its "
            if whole
            else f"{named} {'is' if len(names) == 1 else 'are'} never used: the "
        )
        yield Spot(
            at=stand_in(trace, path),
            message=(
                f"{what}{many(params, 'parameter')} "
                f"({percent(params / max(1, trace.totals.params))} of the network) get no gradient "
                "and stay as they were initialised."
            ),
            measured={"parameters": names, "elements": params},
            price=Price(params=params),
            fix="call it in forward, or take it away.",
            edits=(Edit(path=path, argument=None),) if whole else (),
            safe=whole,
        )


def _in(trace: Trace, path: str) -> list[str]:
    """The parameters of a module and of what is in it."""
    return [name for name in trace.parameters if is_in(owner(name), path)]
