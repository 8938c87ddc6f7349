"""How deep a network is, counted as its paper counts, and the same network at another depth."""

from __future__ import annotations

from collections.abc import Iterator

from striate.arch import Arch, Stage, from_dict, to_dict
from striate.errors import InputError

LAYERS = {"conv": 1, "basic": 2, "bottleneck": 3, "densenet": 2, "dense": 1}
"""Layers with weights in one block, of the blocks whose papers name networks by their layers."""


def counts_blocks(arch: Arch) -> bool:
    """Whether ``depth`` counts blocks: where a block is a transformer's, ConvNeXt's or an inverted
    one, whose papers count blocks (Dosovitskiy et al. 2020, table 1).
    """
    return any(stage.block not in LAYERS for stage in arch.stages)


def depth_of(arch: Arch) -> int:
    """Layers with weights from the image to the logits, shortcuts left out, as He et al. 2015
    (table 1) and Simonyan and Zisserman 2014 count them; or blocks, where ``counts_blocks``.

    >>> from striate.arch import zoo
    >>> [depth_of(zoo(name)) for name in ("resnet50", "vgg16", "densenet121", "vit_base_patch16")]
    [50, 16, 121, 12]
    """
    return _count(arch, [stage.depth for stage in arch.stages])


def _count(arch: Arch, depths: list[int]) -> int:
    if counts_blocks(arch):
        return sum(depths)
    inside = sum(
        LAYERS[stage.block] * depth + bool(stage.transition)
        for stage, depth in zip(arch.stages, depths, strict=True)
    )
    head = arch.head
    return (arch.stem is not None) + inside + (head.width is not None) + len(head.hidden) + 1


def _chain(stages: tuple[Stage, ...], most: int) -> Iterator[list[int]]:
    """Depths of all stages as a common factor grows, each rounded to the nearest block."""
    first = [stage.depth for stage in stages]
    # a stage of d blocks gains its k-th at the factor (k − ½) / d
    factors = sorted({(2 * k + 1) / (2 * d) for d in first for k in range(most * d + 1)})
    found: list[int] = []
    for factor in (0.0, *factors):
        depths = [max(1, int(factor * d + 0.5 + 1e-9)) for d in first]
        if depths != found:
            found = depths
            yield depths


def at_depth(arch: Arch, depth: int, *, name: str) -> Arch:
    """``arch`` with every stage deeper or shallower in proportion, ``depth`` in all (``depth_of``).

    InputError where no proportion gives that depth, with the nearest that one gives.
    """
    below, above = 0, 0
    most = max(1, -(-depth // max(1, depth_of(arch)))) + 2
    for depths in _chain(arch.stages, most):
        count = _count(arch, depths)
        if count == depth:
            return _with_depths(arch, depths, name)
        if count > depth:
            above = count
            break
        below = count
    unit = "blocks" if counts_blocks(arch) else "layers"
    near = " or ".join(str(count) for count in (below, above) if count)
    raise InputError(
        f"depth {depth}: {arch.name} (of {depth_of(arch)} {unit}) cannot have {depth} {unit} with "
        f"its stages in proportion; the nearest are {near}"
    )


def times_deeper(arch: Arch, factor: float, *, name: str) -> Arch:
    """``arch`` with every stage ``factor`` times as deep, to the nearest block and at least one."""
    return _with_depths(
        arch, [max(1, int(factor * stage.depth + 0.5)) for stage in arch.stages], name
    )


def _with_depths(arch: Arch, depths: list[int], name: str) -> Arch:
    data = to_dict(arch)
    data["name"] = name
    for row, depth in zip(data["stages"], depths, strict=True):
        row["depth"] = depth
    return from_dict(data, where=name)
