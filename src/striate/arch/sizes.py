"""The arithmetic of map sizes and receptive fields along a network's main path.

    output = floor((input + 2·padding − dilation·(kernel − 1) − 1) / stride) + 1

Nothing is built and nothing is traced; for any module but our own, ``striate.tracing`` does this
by running it on shapes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from striate.errors import ArchError

if TYPE_CHECKING:  # spec.py validates with this file, so this file knows its names for types only
    from striate.arch.spec import Arch, Pool, Stage

LARGEST = 65536


class Window(NamedTuple):
    """One sliding window of the main path: a convolution or a pool."""

    kernel: int
    stride: int
    padding: int
    dilation: int = 1

    def out(self, size: int) -> int:
        """Positions along an axis of ``size`` elements; below 1 where it does not fit."""
        return (size + 2 * self.padding - self.dilation * (self.kernel - 1) - 1) // self.stride + 1


def windows(arch: Arch) -> Iterator[tuple[str, list[Window]]]:
    """(place, windows) of the stem, where there is one, and of every stage that has a map.

    A transformer's tokens keep their places, so that its stages have a map and no window.
    """
    if arch.stem is not None:
        stem = arch.stem
        yield "the stem", [Window(stem.kernel, stem.stride, stem.pad), *_pool(stem.pool)]
    for number, stage in enumerate(arch.stages, 1):
        if stage.kind.on == "features":
            return
        yield f"stage {number}", _stage(stage)


def map_sizes(arch: Arch, image: Sequence[int] | None = None) -> list[tuple[int, int]]:
    """(height, width) of the map after the stem and after every stage.

    The first entry is the image's own size where there is no stem; a dense stage counts as 1 × 1.
    ``image`` is (C, H, W) or (H, W), by default the Arch's own.  ArchError names the place where
    nothing is left of the map.

    >>> from striate.arch import zoo
    >>> map_sizes(zoo("resnet18"))
    [(56, 56), (56, 56), (28, 28), (14, 14), (7, 7)]
    """
    image = arch.image if image is None else image
    problem = map_problem(arch, image)
    if problem:
        raise ArchError(f"{arch.name}: {problem}")
    sizes = _walk(arch, image)
    if arch.stem is None:
        sizes.insert(0, (image[-2], image[-1]))
    return sizes + [(1, 1)] * (1 + len(arch.stages) - len(sizes))


def field_sizes(arch: Arch) -> list[tuple[int, int]]:
    """(receptive field, stride) in pixels after the stem and every stage of windows.

    A transformer's attention sees all, and ends the list.  Along the main path, which is the
    widest: size grows by dilation · (kernel − 1) · stride so far (Araujo et al. 2019, equation 2).
    The first entry is (1, 1) where there is no stem.

    >>> from striate.arch import zoo
    >>> field_sizes(zoo("resnet18"))[-1]
    (435, 32)
    """
    size, stride = 1, 1
    fields = [] if arch.stem else [(1, 1)]
    attends = next(
        (i for i, stage in enumerate(arch.stages) if stage.kind.on == "tokens"), len(arch.stages)
    )
    for _, passed in list(windows(arch))[: attends + (arch.stem is not None)]:
        for window in passed:
            size += window.dilation * (window.kernel - 1) * stride
            stride *= window.stride
        fields.append((size, stride))
    return fields


def map_problem(arch: Arch, image: Sequence[int]) -> str | None:
    """Where a map of ``image`` would shrink to nothing, and the mend; None if it never does."""
    sizes = _walk(arch, image)
    if not sizes or min(sizes[-1]) >= 1:
        return None
    place = [place for place, _ in windows(arch)][len(sizes) - 1]
    came = sizes[-2] if len(sizes) > 1 else (image[-2], image[-1])
    left = [max(0, side) for side in sizes[-1]]
    least = least_image(arch)
    mend = (
        "give it more padding, a smaller kernel or less stride"
        if least is None
        else f"use an image of at least {least}x{least}, or less stride before it"
    )
    return f"{place} would make a {left[0]}x{left[1]} map from {came[0]}x{came[1]}; {mend}"


def least_image(arch: Arch) -> int | None:
    """The smallest square image of which every map keeps an element; None above 65536 pixels."""
    low, high = 1, LARGEST
    if min(_walk(arch, (high, high))[-1:] or [(1, 1)])[0] < 1:
        return None
    while low < high:  # a map never shrinks when its image grows
        middle = (low + high) // 2
        passed = _walk(arch, (middle, middle))
        if passed and passed[-1][0] < 1:
            low = middle + 1
        else:
            high = middle
    return low


def _walk(arch: Arch, image: Sequence[int]) -> list[tuple[int, int]]:
    """Sizes after each place, up to and with the first that is below 1."""
    height, width = image[-2], image[-1]
    sizes: list[tuple[int, int]] = []
    for _, passed in windows(arch):
        for window in passed:
            height, width = window.out(height), window.out(width)
            if min(height, width) < 1:
                return [*sizes, (height, width)]
        sizes.append((height, width))
    return sizes


def _stage(stage: Stage) -> list[Window]:
    if not stage.kind.windows:
        return []
    first, later = (
        Window(stage.kernel, stride, stage.pad, stage.dilation) for stride in (stage.stride, 1)
    )
    blocks = [later] * (stage.kind.windows * stage.depth)
    if stage.block != "convnext":
        blocks[0] = first
    elif stage.stride > 1:  # a convolution of its own, before the first block
        blocks.insert(0, Window(stage.stride, stage.stride, 0))
    if stage.pool_first:
        return [blocks[0], *_pool(stage.pool), *blocks[1:]]
    return blocks + _pool(stage.pool)


def _pool(pool: Pool | None) -> list[Window]:
    return [] if pool is None else [Window(pool.kernel, pool.stride, pool.padding)]
