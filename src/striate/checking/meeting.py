"""Two maps of different shapes that were to be joined, and the one change that makes them fit."""

from __future__ import annotations

from typing import NamedTuple

from striate.checking.graph import (
    POOLS,
    is_map,
    is_spatial_conv,
    is_weighted,
    kernel,
    map_size,
    pair,
)
from striate.checking.windows import module_is
from striate.checking.words import place, sides
from striate.records import Edit, Layer

UPSAMPLES = frozenset({"interpolate", "conv_transpose2d", "pixel_shuffle"})

Shape = tuple[int, ...]


class Meeting(NamedTuple):
    """Two maps that were to be joined; ``skip`` passes fewer weight layers than ``branch``.

    ``on_branch`` and ``on_skip``: the layers on either way from where they part.
    """

    skip: Shape
    branch: Shape
    on_branch: tuple[Layer, ...] = ()
    on_skip: tuple[Layer, ...] = ()


class Mend(NamedTuple):
    """What to change: in a sentence, and as literals where those say all of it."""

    text: str
    edits: tuple[Edit, ...] = ()


def mend(meeting: Meeting, *, channels_matter: bool, image: Shape) -> Mend | None:
    """The one change that would make the two fit; None if there is none."""
    skip, branch = meeting.skip, meeting.branch
    project = channels_matter and skip[1] != branch[1]
    if skip[2:] == branch[2:]:
        return (_reprojected(meeting, 1) or _projected(meeting, 1)) if project else None
    found = _rounded(meeting) or _evened(meeting, image) or _padded(meeting, project=project)
    if found is not None:
        return found
    stride = _stride(skip[2:], branch[2:])
    if stride is not None:
        if not channels_matter:
            return Mend(
                f"pool the skip with stride {stride}, or take the branch before its stride."
            )
        return (
            _unstrided(meeting, stride)
            or _reprojected(meeting, stride)
            or _projected(meeting, stride)
        )
    back = _stride(branch[2:], skip[2:])
    if back is not None and channels_matter:
        return Mend(
            f"the skip was strided and the branch was not: give a convolution of the branch stride "
            f"{back}, or take the skip's stride away."
        )
    return None if channels_matter else Mend(f"resize one of the maps to {sides(skip[2:])} first.")


def _projected(meeting: Meeting, stride: int) -> Mend:
    """A projection on a skip that has none."""
    return Mend(f"put {_projection(meeting, stride)} on the skip.")


def _reprojected(meeting: Meeting, stride: int) -> Mend | None:
    """Other channels and another stride for the projection that the skip has already."""
    convs = [layer for layer in meeting.on_skip if is_weighted(layer)]
    if len(convs) != 1 or convs[0].op != "conv2d":
        return None
    layer, wanted = convs[0], meeting.branch[1]
    changes: dict[str, int] = {}
    if layer.shape[1] != wanted:
        changes["out_channels"] = wanted
    if stride > 1:
        own = pair(layer, "stride", 1)
        if own[0] != own[1]:
            return None
        changes["stride"] = own[0] * stride
    written = " and ".join(f"{name}={value}" for name, value in changes.items())
    norms = [one for one in meeting.on_skip if one.op == "batch_norm"] if changes else []
    edits = [Edit(path=layer.path, argument=name, value=value) for name, value in changes.items()]
    if "out_channels" in changes:
        edits += [Edit(path=one.path, argument="num_features", value=wanted) for one in norms]
    own_modules = module_is(layer, "Conv2d") and all(module_is(one, "BatchNorm2d") for one in norms)
    return Mend(
        f"give the projection {place(layer.path)} {written}.", tuple(edits) if own_modules else ()
    )


def _unstrided(meeting: Meeting, stride: int) -> Mend | None:
    """The second stride of a branch, where leaving it out makes the two fit."""
    if meeting.skip[1] != meeting.branch[1]:
        return None
    strided = [
        layer
        for layer in meeting.on_branch
        if is_weighted(layer) and is_map(layer) and max(pair(layer, "stride", 1)) > 1
    ]
    if len(strided) < 2 or pair(strided[-1], "stride", 1) != (stride, stride):
        return None
    last = strided[-1]
    also = (
        f", or put {_projection(meeting, stride)} on the skip"
        if not any(is_weighted(layer) for layer in meeting.on_skip)
        else ""
    )
    edits = (Edit(path=last.path, argument="stride", value=1),)
    return Mend(
        f"give {place(last.path)} stride=1, since the branch strides twice{also}.",
        edits if module_is(last, "Conv2d") else (),
    )


def _rounded(meeting: Meeting) -> Mend | None:
    """A pool on the skip that would fit if it rounded up where the branch does."""
    gaps = [m - n for n, m in zip(meeting.skip[2:], meeting.branch[2:], strict=True)]
    if any(gap not in (0, 1) for gap in gaps) or not any(gaps):
        return None
    pools = [
        layer
        for layer in meeting.on_skip
        if layer.op in POOLS
        and not layer.attrs.get("ceil_mode")
        and map_size(layer) == tuple(meeting.skip[2:])
    ]
    if not pools:
        return None
    path = pools[-1].path
    edits = (Edit(path=path, argument="ceil_mode", value=True),)
    return Mend(
        f"pass ceil_mode=True to {place(path)}, so that the odd map is rounded up as the branch "
        "does.",
        edits if module_is(pools[-1], "MaxPool2d", "AvgPool2d") else (),
    )


def _evened(meeting: Meeting, image: Shape) -> Mend | None:
    """The image size at which what was halved and doubled again fits what was not."""
    passed = [*meeting.on_branch, *meeting.on_skip]
    if not any(layer.op in UPSAMPLES for layer in passed):
        return None
    step = max((max(one.field.stride) for one in passed if one.field is not None), default=1)
    if step < 2 or all(side % step == 0 for side in image):
        return None
    fitting = tuple(-(-side // step) * step for side in image)
    return Mend(
        f"use images whose sides {step} divides ({sides(fitting)} instead of {sides(image)}), or "
        "resize or pad the smaller map before they meet."
    )


def _padded(meeting: Meeting, *, project: bool) -> Mend | None:
    """The "same" padding that the branch's convolutions lack, if that alone is what it lost."""
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
    if not short or even or lost != gap:
        return None
    pads = " and ".join(f"{place(one.path)} padding={_same(one)}" for one in short)
    also = f", and put {_projection(meeting, 1)} on the skip" if project else ""
    edits = tuple(Edit(path=one.path, argument="padding", value=_same(one)) for one in short)
    literal = not project and all(module_is(one, "Conv2d") for one in short)
    return Mend(f"give {pads}, so that the branch keeps its size{also}.", edits if literal else ())


def _lost(layer: Layer, axis: int) -> int:
    span = pair(layer, "dilation", 1)[axis] * (kernel(layer)[axis] - 1)
    return span - 2 * pair(layer, "padding", 0)[axis]


def _same(layer: Layer) -> int | tuple[int, ...]:
    """The padding that keeps a map's size at stride 1, as it is written in PyTorch."""
    wanted = tuple(
        pair(layer, "dilation", 1)[axis] * (kernel(layer)[axis] - 1) // 2 for axis in (0, 1)
    )
    return wanted[0] if wanted[0] == wanted[1] else wanted


def _projection(meeting: Meeting, stride: int) -> str:
    strided = f" with stride {stride}" if stride > 1 else ""
    return f"a 1×1 convolution from {meeting.skip[1]} to {meeting.branch[1]} channels{strided}"


def _stride(size: Shape, wanted: Shape) -> int | None:
    """The stride at which a 1×1 kernel makes ``wanted`` of ``size``, on both axes."""
    for stride in range(2, max(size) + 1):
        if all((n - 1) // stride + 1 == m for n, m in zip(size, wanted, strict=True)):
            return stride
    return None
