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
image size that divides evenly is worked out.

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
    POOLS,
    Graph,
    is_map,
    is_spatial_conv,
    is_weighted,
    kernel,
    map_size,
    pair,
)
from striate.checking.rule import Spot
from striate.checking.windows import module_is
from striate.checking.words import place, sides
from striate.records import Edit, Failure, Layer, Severity, Trace

CODE = "RE401"
NAME = "skip-shape-mismatch"
SEVERITY: Severity = "error"

SUMS = frozenset({"add", "sub"})
CATS = frozenset({"cat"})
UPSAMPLES = frozenset({"interpolate", "conv_transpose2d", "pixel_shuffle"})


class Meeting(NamedTuple):
    """Two maps that were to be joined; ``skip`` passes fewer weight layers than ``branch``."""

    skip: tuple[int, ...]
    branch: tuple[int, ...]
    on_branch: tuple[Layer, ...]
    on_skip: tuple[Layer, ...] = ()


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
    rounded = _rounding_pools(meeting)
    yield Spot(
        at=failure,
        message=(
            f"a skip of {sides(skip[1:])} cannot be {verb} a branch of {sides(branch[1:])} "
            f"(channels×height×width)."
        ),
        measured={"skip": list(skip), "branch": list(branch), "op": failure.op},
        fix=(
            _mend(meeting, channels_matter=failure.op in SUMS, image=trace.image[1:])
            or failure.hint
        ),
        edits=tuple(
            Edit(path=pool.path, argument="ceil_mode", value=True)
            for pool in rounded
            if module_is(pool, "MaxPool2d", "AvgPool2d")
        )
        or _paddings(meeting),
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
        tuple(graph[i] for i in sorted(mine - theirs))
        for mine, theirs in (behind, reversed(behind))
    ]
    weights = [sum(map(is_weighted, way)) for way in own]
    at = 1 if weights[0] > weights[1] else 0
    return Meeting(skip=shapes[at], branch=shapes[1 - at], on_branch=own[1 - at], on_skip=own[at])


def _fits(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(a == b or 1 in (a, b) for a, b in zip(shape, other, strict=True))


def _mend(meeting: Meeting, *, channels_matter: bool, image: tuple[int, ...]) -> str | None:
    """The one change that would make the two fit, in a sentence; None if there is none."""
    skip, branch = meeting.skip, meeting.branch
    project = channels_matter and skip[1] != branch[1]
    if skip[2:] == branch[2:]:
        return f"put {_projection(skip, branch, 1)} on the skip." if project else None
    rounded = _rounding_pools(meeting)
    if rounded:
        pools = " and ".join(place(pool.path) for pool in rounded)
        return (
            f"pass ceil_mode=True to {pools}, so that the odd map is rounded up as the branch does."
        )
    uneven = _uneven(meeting, image)
    if uneven is not None:
        return uneven
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


def _rounding_pools(meeting: Meeting) -> list[Layer]:
    """The pool on the skip that would fit if it rounded up where the branch does."""
    gaps = [m - n for n, m in zip(meeting.skip[2:], meeting.branch[2:], strict=True)]
    if any(gap not in (0, 1) for gap in gaps) or not any(gaps):
        return []
    return [
        layer
        for layer in meeting.on_skip
        if layer.op in POOLS
        and not layer.attrs.get("ceil_mode")
        and map_size(layer) == tuple(meeting.skip[2:])
    ][-1:]


def _uneven(meeting: Meeting, image: tuple[int, ...]) -> str | None:
    """The image size at which what was halved and doubled again fits what was not."""
    doubled = [*meeting.on_branch, *meeting.on_skip]
    if not any(layer.op in UPSAMPLES for layer in doubled):
        return None
    fields = [layer.field for layer in doubled if layer.field is not None]
    step = max((max(field.stride) for field in fields), default=1)
    if step < 2 or all(side % step == 0 for side in image):
        return None
    fitting = tuple(-(-side // step) * step for side in image)
    return (
        f"use images whose sides {step} divides ({sides(fitting)} instead of {sides(image)}), or "
        "resize or pad the smaller map before they meet."
    )


def _paddings(meeting: Meeting) -> tuple[Edit, ...]:
    """The paddings that keep the branch's size, where that is the mend."""
    if meeting.skip[2:] == meeting.branch[2:]:
        return ()
    found = _unpadded(meeting)
    if any(not module_is(layer, "Conv2d") for layer in found):
        return ()
    return tuple(
        Edit(path=layer.path, argument="padding", value=value[0] if value[0] == value[1] else value)
        for layer in found
        for value in [_same(layer)]
    )


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
        if is_spatial_conv(layer)
        and is_map(layer)
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
    wanted = _same(layer)
    return str(wanted[0]) if wanted[0] == wanted[1] else str(wanted)


def _same(layer: Layer) -> tuple[int, int]:
    rows, columns = (
        pair(layer, "dilation", 1)[axis] * (kernel(layer)[axis] - 1) // 2 for axis in (0, 1)
    )
    return rows, columns
