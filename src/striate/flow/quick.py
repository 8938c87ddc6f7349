"""Recipe ``quick``: what follows the data, and its network.

``--arch auto`` gives it a network after Jordan 2024 (section 3.1): a first convolution with as many
filters as whitening needs, then groups of two convolutions with a max pool behind the first, until
the map is at most 4 px.
"""

from __future__ import annotations

from collections.abc import Sequence

from striate.arch import Arch, Head, Pool, Stage, Stem
from striate.checking import check
from striate.errors import ArchError
from striate.flow.choose import Choice, Need
from striate.tracing import trace
from striate.training import Facts

NAME = "quick"
WIDTHS = (64, 256, 256)
"""Of the groups, the last again and again (Jordan's airbench94_muon)."""
SIZES = (0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Multiples of the widths that are thought of."""
PARAMS_PER_IMAGE = 200
FEWEST_EPOCHS = 6
"""Passes that a network must be able to make within the time, to be thought of."""
MACS_PER_SECOND_PER_CORE = 150e9
"""Nominal training throughput of one CPU core, forward and backward, with bf16 in hardware.  Only
the choice of width leans on it; the steps are planned from what is measured."""
KNOWN = frozenset({"SH103"})
"""What the linter may find: pools that leave out the last row of an odd map.  To look at it too
costs a quarter more time, in which another pass gains more (docs/decisions/0030-quick.md)."""
SMALL_COST = (1 + 0.75**2) / 2
"""What a pass costs on average where half of them see images of three quarters of the side."""
STEPS = 25
MOST_IMAGES = 2_000
"""A batch is an epoch's images over ``STEPS``, at most ``MOST_IMAGES`` (Jordan 2024)."""


def quick_defaults(facts: Facts) -> dict[str, int]:
    """What follows the data in recipe ``quick``, in place of the defaults' own rules."""
    batch = max(8, min(MOST_IMAGES, facts.train_images // STEPS))
    side = min(facts.image[1:])
    return {
        "batch_size": batch,
        "augment.translate": 0 if facts.crops else side // 16,
        "augment.cutout": 0,
        "most_epochs": max(20, round(60 * (50_000 / max(1, facts.train_images)) ** 0.2)),
    }


def choose_quick(need: Need) -> Choice:
    """The widest network that sees every image ``FEWEST_EPOCHS`` times within the time.

    ArchError where no design suits the image.
    """
    most_macs = (
        need.seconds
        * need.cores
        * MACS_PER_SECOND_PER_CORE
        / (3 * SMALL_COST * max(1, need.train_images) * FEWEST_EPOCHS)
    )
    best: Choice | None = None
    for times in SIZES:
        found = _candidate(need, times)
        if found is None:
            continue
        totals = found.trace.totals
        large = totals.params > PARAMS_PER_IMAGE * need.train_images or totals.macs > most_macs
        if best is not None and large:
            break
        best = found
    if best is None:
        size = "x".join(map(str, need.image))
        raise ArchError(
            f"--arch auto: no design of recipe {NAME} suits {size} images; give larger images with "
            "--image, or name a network with --arch"
        )
    return best


def _candidate(need: Need, times: float) -> Choice | None:
    """The network of these widths with its trace; None where the linter objects to it."""
    from striate.building import build

    arch = _arch(need, [max(8, round(width * times / 8) * 8) for width in WIDTHS])
    found = trace(lambda: build(arch, device="meta"), need.image, name=arch.name)
    if any(finding.code not in KNOWN for finding in check(found)):
        return None
    totals = found.totals
    why = (
        f"recipe {NAME}: {len(arch.stages)} groups of two convolutions behind one that whitens, as "
        f"wide as sees all {need.train_images:,} training images {FEWEST_EPOCHS} times in "
        f"{need.seconds / 60:g} minutes by a rough estimate ({totals.macs / 1e6:.0f}M MACs)"
    )
    return Choice(arch=arch, trace=found, why=why)


def _arch(need: Need, widths: Sequence[int]) -> Arch:
    channels, *sides = need.image
    kernel, stride = _stem(min(sides))
    maps = [(side - kernel) // stride + 1 for side in sides]
    stages: list[Stage] = []
    while min(maps) > 4 or not stages:
        pools = min(maps) > 4
        stages.append(
            Stage(
                block="conv",
                depth=2,
                width=widths[min(len(stages), len(widths) - 1)],
                pool=Pool() if pools else None,
                pool_first=pools,
            )
        )
        maps = [side // 2 for side in maps]
    return Arch(
        name=f"quick-{len(stages)}w{'-'.join(str(stage.width) for stage in stages)}",
        image=need.image,
        classes=need.classes,
        stem=Stem(
            width=2 * channels * kernel**2,
            kernel=kernel,
            stride=stride,
            padding=0,
            norm=False,
            bias=True,
        ),
        stages=tuple(stages),
        head=Head(pool="max"),
        activation="gelu",
        dirac_init=True,
    )


def _stem(short: int) -> tuple[int, int]:
    """(kernel, stride): overlapping patches of 2×2, from 64 px patches side by side, and of 4×4
    from 128 px.
    """
    if short < 64:
        return 2, 1
    return (2, 2) if short < 128 else (4, 4)
