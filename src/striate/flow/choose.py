"""``--arch auto``: a network for these images, chosen by stated rules and nothing random.

A residual net in the manner of He et al. 2015, section 4.2, grown along two axes:

- stages: halve the map until its short side is at most 8 px (never below 4);
- blocks: as few per stage as make the receptive field cover the image;
- width: as much as fits 200 parameters per training image and the time budget.

A candidate that the linter has anything to say about is not taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from striate.arch import Arch, Head, Pool, Stage, Stem
from striate.checking import check
from striate.errors import ArchError
from striate.records import Trace
from striate.tracing import trace

PARAMS_PER_IMAGE = 200
WIDTHS = (8, 12, 16, 24, 32, 48, 64, 96)
MACS_PER_SECOND_PER_CORE = 20e9
"""Nominal training throughput, forward multiply-accumulates, of one CPU core.  Only the choice of
width leans on it; the schedule is planned from what the probe measures."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """What the data and the budget ask of a network.  ``image``: (C, H, W)."""

    image: tuple[int, int, int]
    classes: int
    train_images: int
    seconds: float
    epochs: int
    cores: int


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The network that was chosen, its trace, and why in one sentence."""

    arch: Arch
    trace: Trace
    why: str


def choose(need: Need) -> Choice:
    """The widest candidate within the budget; ArchError if no design suits the image."""
    from striate.building import build

    most_params = PARAMS_PER_IMAGE * need.train_images
    most_macs = (
        need.seconds
        * need.cores
        * MACS_PER_SECOND_PER_CORE
        / 3
        / max(1, need.train_images * need.epochs)
    )
    best: Choice | None = None
    for width in WIDTHS:
        found = None
        for arch in _candidates(need, width):
            traced = trace(partial(build, arch, device="meta"), need.image, name=arch.name)
            if _covers(traced) and not check(traced):
                found = Choice(arch=arch, trace=traced, why=_why(arch, traced, need))
                break
        if found is None:
            continue
        totals = found.trace.totals
        if best is not None and (totals.params > most_params or totals.macs > most_macs):
            break
        best = found
    if best is None:
        size = "x".join(map(str, need.image))
        raise ArchError(
            f"--arch auto: no design suits {size} images; give larger images with --image, "
            "or name a network with --arch"
        )
    return best


def _candidates(need: Need, width: int) -> Iterator[Arch]:
    """Designs of one width, shallow to deep."""
    short = min(need.image[1:])
    stem, short = _stem(short, width)
    halvings = 0
    while short > 8 and (short + 1) // 2 >= 4:
        short = (short + 1) // 2
        halvings += 1
    stages = max(halvings + 1, 2 if short >= 7 else 1)
    for blocks in (1, 2, 3, 4, 6, 8):
        yield Arch(
            name=f"auto-{stages}x{blocks}w{width}",
            image=need.image,
            classes=need.classes,
            stem=stem,
            stages=tuple(
                Stage(block="basic", depth=blocks, width=width * 2**number,
                      stride=1 if number == 0 else 2)
                for number in range(stages)
            ),
            head=Head(pool="avg"),
            zero_init=True,
        )  # fmt: skip


def _stem(short: int, width: int) -> tuple[Stem, int]:
    """One 3×3 for small images, a strided one from 64 px, and the ImageNet form from 128 px."""
    if short < 64:
        return Stem(width=width, kernel=3), short
    if short < 128:
        return Stem(width=width, kernel=3, stride=2), (short + 1) // 2
    pool = Pool(kind="max", kernel=3, stride=2, padding=1)
    return Stem(width=width, kernel=7, stride=2, pool=pool), (short + 3) // 4


def _covers(traced: Trace) -> bool:
    return all(seen >= side for seen, side in zip(_reach(traced), traced.image[1:], strict=True))


def _reach(traced: Trace) -> tuple[int, int]:
    """The greatest receptive field of any convolution, (height, width) in pixels."""
    sizes = [layer.field.size for layer in traced if layer.op == "conv2d" and layer.field]
    return max(height for height, _ in sizes), max(width for _, width in sizes)


def _why(arch: Arch, traced: Trace, need: Need) -> str:
    reach, (height, width) = _reach(traced), need.image[1:]
    blocks, channels = arch.stages[0].depth, arch.stages[0].width
    share = traced.totals.params / need.train_images
    bound = "at most" if share <= PARAMS_PER_IMAGE else "the narrowest there is, though above"
    return (
        f"{len(arch.stages)} stages of {blocks} residual block{'s' if blocks > 1 else ''}: the "
        f"shallowest whose receptive field ({reach[0]}×{reach[1]} px) covers the {height}×{width} "
        f"image with no layer the linter objects to; width {channels}: "
        f"{share:.0f} parameters for each of "
        f"{need.train_images:,} training images ({bound} {PARAMS_PER_IMAGE})"
    )
