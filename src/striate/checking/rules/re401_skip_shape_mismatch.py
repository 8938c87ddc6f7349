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
convolutions lost for want of padding is mended there.

## Limits

Sums that fit by broadcasting run, and are not this rule's question. Where no single stride or
padding fits, the finding says what met and leaves the mend to you.

## References

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (arXiv 1512.03385), section
3.3, equation 2 and options A to C.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from striate.checking.graph import (
    Graph,
    is_map,
    is_spatial_conv,
    is_weighted,
    kernel,
    pair,
)
from striate.checking.rule import Spot
from striate.checking.words import place, sides
from striate.records import Failure, Layer, Severity, Trace

CODE = "RE401"
NAME = "skip-shape-mismatch"
SEVERITY: Severity = "error"

SUMS = frozenset({"add", "sub"})
CATS = frozenset({"cat"})


class Meeting(NamedTuple):
    """Two maps that were to be joined; ``skip`` passes fewer weight layers than ``branch``."""

    skip: tuple[int, ...]
    branch: tuple[int, ...]
    on_branch: tuple[Layer, ...]


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
    yield Spot(
        at=failure,
        message=(
            f"a skip of {sides(skip[1:])} cannot be {verb} a branch of {sides(branch[1:])} "
            f"(channels×height×width)."
        ),
        measured={"skip": list(skip), "branch": list(branch), "op": failure.op},
        fix=_mend(meeting, channels_matter=failure.op in SUMS) or failure.hint,
    )


def _meeting(graph: Graph, failure: Failure) -> Meeting:
    """The odd pair among the failing inputs, the skip first."""
    first = failure.shapes[0]
    other = next(i for i, shape in enumerate(failure.shapes) if i and not _fits(shape, first))
    shapes = (first, failure.shapes[other])
    if len(failure.inputs) != len(failure.shapes):
        return Meeting(*shapes, on_branch=())
    ends = [graph[failure.inputs[0]], graph[failure.inputs[other]]]
    behind = [graph.ancestors(end) for end in ends]
    own = [
        tuple(graph[i] for i in sorted(mine - theirs) if is_weighted(graph[i]))
        for mine, theirs in (behind, reversed(behind))
    ]
    if len(own[0]) > len(own[1]):
        return Meeting(skip=shapes[1], branch=shapes[0], on_branch=own[0])
    return Meeting(skip=shapes[0], branch=shapes[1], on_branch=own[1])


def _fits(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(a == b or 1 in (a, b) for a, b in zip(shape, other, strict=True))


def _mend(meeting: Meeting, *, channels_matter: bool) -> str | None:
    """The one change that would make the two fit, in a sentence; None if there is none."""
    skip, branch = meeting.skip, meeting.branch
    project = channels_matter and skip[1] != branch[1]
    if skip[2:] == branch[2:]:
        return f"put {_projection(skip, branch, 1)} on the skip." if project else None
    unpadded = _unpadded(meeting)
    if unpadded:
        pads = " and ".join(f"{place(one.path)} padding={_same_padding(one)}" for one in unpadded)
        also = f", and put {_projection(skip, branch, 1)} on the skip" if project else ""
        return f"give {pads}, so that the branch keeps its size{also}."
    stride = _stride(skip[2:], branch[2:])
    if stride is not None:
        if channels_matter:
            return f"put {_projection(skip, branch, stride)} on the skip."
        return f"pool the skip with stride {stride}, or take the branch before its stride."
    back = _stride(branch[2:], skip[2:])
    if back is not None and channels_matter:
        return (
            f"the skip was strided and the branch was not: give a convolution of the branch stride "
            f"{back}, or take the skip's stride away."
        )
    return None if channels_matter else f"resize one of the maps to {sides(skip[2:])} first."


def _projection(skip: tuple[int, ...], branch: tuple[int, ...], stride: int) -> str:
    strided = f" with stride {stride}" if stride > 1 else ""
    return f"a 1×1 convolution from {skip[1]} to {branch[1]} channels{strided}"


def _stride(size: tuple[int, ...], wanted: tuple[int, ...]) -> int | None:
    """The stride at which a 1×1 kernel makes ``wanted`` of ``size``, on both axes."""
    for stride in range(2, max(size) + 1):
        if all((n - 1) // stride + 1 == m for n, m in zip(size, wanted, strict=True)):
            return stride
    return None


def _unpadded(meeting: Meeting) -> list[Layer]:
    """The branch's convolutions that lack "same" padding, if that alone is what it lost."""
    short = [
        layer
        for layer in meeting.on_branch
        if is_map(layer)
        and is_spatial_conv(layer)
        and pair(layer, "stride", 1) == (1, 1)
        and any(_lost(layer, axis) > 0 for axis in (0, 1))
    ]
    lost = tuple(sum(_lost(layer, axis) for layer in short) for axis in (0, 1))
    gap = tuple(n - m for n, m in zip(meeting.skip[2:], meeting.branch[2:], strict=True))
    even = any(k % 2 == 0 for layer in short for k in kernel(layer))
    return short if short and not even and lost == gap else []


def _lost(layer: Layer, axis: int) -> int:
    span = pair(layer, "dilation", 1)[axis] * (kernel(layer)[axis] - 1)
    return span - 2 * pair(layer, "padding", 0)[axis]


def _same_padding(layer: Layer) -> str:
    """The padding that keeps a map's size at stride 1, as it is written in PyTorch."""
    wanted = tuple(
        pair(layer, "dilation", 1)[axis] * (kernel(layer)[axis] - 1) // 2 for axis in (0, 1)
    )
    return str(wanted[0]) if wanted[0] == wanted[1] else str(wanted)
