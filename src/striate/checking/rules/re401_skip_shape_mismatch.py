"""RE401 skip-shape-mismatch

## What it finds

A sum or a concatenation of two maps whose shapes do not fit, which ends the forward pass: most
often a skip around a block that changed the number of channels or the size of the map.

## Why it is bad

The network cannot run. The error PyTorch gives ("the size of tensor a (32) must match …") names
neither the module nor which of the two paths to change; this rule computes the projection, stride
or padding that would make them fit.

## Bad

```python
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(32)

    def forward(self, x):
        y = self.norm1(self.conv1(x)).relu()
        return (x + self.norm2(self.conv2(y))).relu()

net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block())
image = (3, 32, 32)
```

Fires at `2`.

## Good

```python
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(32)
        self.project = nn.Conv2d(16, 32, 1, stride=2, bias=False)

    def forward(self, x):
        y = self.norm1(self.conv1(x)).relu()
        return (self.project(x) + self.norm2(self.conv2(y))).relu()

net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block())
image = (3, 32, 32)
```

## How it is measured

The two inputs of the failing operation are followed back to where their paths part. The path with
fewer weight layers is the skip, and is to become what the other is. For each axis a stride *s*
fits when ⌊(n − 1)/s⌋ + 1 gives the other's length; a difference that the branch's own
convolutions lost for want of padding is mended there. A pool that rounds down beside a convolution
that rounds up is told to round up (`ceil_mode`); where a map was halved and doubled again, the
image size that divides evenly is worked out. A projection that is there already is told its
channels and its stride; a branch that strides twice, which stride to leave out.

## Limits

Sums that fit by broadcasting run, and are not this rule's question. Where no single stride or
padding fits, the finding says what met and leaves the mend to you.

## References

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (arXiv 1512.03385), section
3.3, equation 2 and options A to C.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import Graph, is_weighted
from striate.checking.meeting import Meeting, mend
from striate.checking.rule import Spot
from striate.checking.words import sides
from striate.records import Failure, Severity, Trace

CODE = "RE401"
NAME = "skip-shape-mismatch"
SEVERITY: Severity = "error"

SUMS = frozenset({"add", "sub"})
CATS = frozenset({"cat"})


def find(trace: Trace) -> Iterator[Spot]:
    """The join a partial trace ends with, when its two maps do not fit."""
    failure = trace.failure
    if failure is None or failure.op not in SUMS | CATS:
        return
    maps = [shape for shape in failure.shapes if len(shape) == 4]
    if len(maps) < 2 or len(maps) != len(failure.shapes) or len(failure.inputs) == 1:
        return
    meeting = _meeting(Graph(trace), failure)
    skip, branch = meeting.skip, meeting.branch
    verb = "concatenated with" if failure.op in CATS else "added to"
    found = mend(meeting, channels_matter=failure.op in SUMS, image=trace.image[1:])
    yield Spot(
        at=failure,
        message=(
            f"a skip of {sides(skip[1:])} cannot be {verb} a branch of {sides(branch[1:])} "
            f"(channels×height×width)."
        ),
        measured={"skip": list(skip), "branch": list(branch), "op": failure.op},
        fix=found.text if found is not None else failure.hint,
        edits=found.edits if found is not None else (),
    )


def _meeting(graph: Graph, failure: Failure) -> Meeting:
    """The odd pair among the failing inputs, the skip first."""
    first = failure.shapes[0]
    other = next(i for i, shape in enumerate(failure.shapes) if i and not _fits(shape, first))
    shapes = (first, failure.shapes[other])
    if len(failure.inputs) != len(failure.shapes):
        return Meeting(*shapes)
    ends = [graph[failure.inputs[0]], graph[failure.inputs[other]]]
    behind = [graph.ancestors(end) for end in ends]
    own = [
        tuple(graph[i] for i in sorted(mine - theirs))
        for mine, theirs in (behind, reversed(behind))
    ]
    weights = [sum(map(is_weighted, way)) for way in own]
    at = 1 if weights[0] > weights[1] else 0
    return Meeting(skip=shapes[at], branch=shapes[1 - at], on_branch=own[1 - at], on_skip=own[at])


def _fits(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(a == b or 1 in (a, b) for a, b in zip(shape, other, strict=True))
