"""How much memory a training step takes, by the Trace's model, and how much is free.

What lives at most in a step (``Totals.step_bytes``, gone through operation by operation) is traced
at the recipe's batch and at an eighth of it, and taken as linear in the batch.  It is a greatest of
linear functions, so what is between the two takes no more than that.  What a library takes as
workspace, and what an allocator cannot use, is not in it; ``SPARE`` of the free memory is left for
them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from striate.arch import Arch
from striate.building import build
from striate.flow.network import Forward, shapes_of
from striate.flow.targets import Target
from striate.records.optimiser import OPTIMISERS
from striate.training import Recipe

SPARE = 0.2
"""Share of the free memory that is not planned with."""

_UNLIMITED = 1 << 60
"""What a control group's limit is written as, at least, where there is none."""


@dataclass(frozen=True, kw_only=True)
class StepMemory:
    """Bytes of a training step on N images: ``fixed`` + N · ``each``."""

    fixed: int
    each: int

    def of(self, batch: int) -> int:
        """Bytes of a step on ``batch`` images."""
        return self.fixed + batch * self.each

    def fits(self, free: int) -> int:
        """The greatest power of two that ``free`` bytes hold; 0 where not one image fits."""
        most = (free - self.fixed) // self.each if free > self.fixed else 0
        return 2 ** math.floor(math.log2(most)) if most else 0

    def times(self, factor: float) -> StepMemory:
        """A step whose images take ``factor`` times as much."""
        return StepMemory(fixed=self.fixed, each=math.ceil(self.each * factor))


def step_memory(
    network: Arch | Target, image: tuple[int, int, int], recipe: Recipe
) -> StepMemory | None:
    """Of a step in float32 by the recipe's optimiser, with the copies of the weights that training
    keeps (the average, the best so far, those to go back to); None where the network's step cannot
    be traced.
    """
    momentum = recipe.optimiser == "sgd" and recipe.momentum > 0
    optimiser = "momentum" if momentum else recipe.optimiser
    optimiser = optimiser if optimiser in OPTIMISERS else "momentum"  # one copy, as Muon keeps
    sizes: list[int] = []
    weights = 0
    large = max(4, recipe.batch_size)  # batch norm needs more than one image
    small = max(2, large // 8)
    for batch in (small, large):
        how = Forward(train=True, batch=batch, optimiser=optimiser)
        if isinstance(network, Arch):
            found = shapes_of(
                lambda: build(network, device="meta"), image, name=network.name, how=how
            )
        else:
            found = shapes_of(network.make, image, name=network.name, how=how)
        if found.failure is not None or found.totals.step_bytes is None:
            return None
        sizes.append(found.totals.step_bytes)
        weights = 4 * found.totals.params
    each = max(1, math.ceil((sizes[1] - sizes[0]) / (large - small)))
    copies = 1 + bool(recipe.ema) + recipe.recover
    return StepMemory(fixed=max(0, sizes[0] - small * each) + copies * weights, each=each)


@dataclass(frozen=True, kw_only=True)
class Free:
    """``bytes`` that this process may still take; ``where`` says of what."""

    bytes: int
    where: str


def free_memory(device: str, *, root: Path = Path("/")) -> Free | None:
    """What is free on ``device`` for this process; None where the system does not tell.

    On the CPU: what Linux calls available, or what a control group (a container) has left,
    whichever is less.  ``root``: where ``proc`` and ``sys`` lie.
    """
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(torch.device(device))
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return Free(bytes=free + held, where="on the GPU")
    if device != "cpu":
        return None
    known = [*_available(root), *_left_in_groups(root)]
    return min(known, key=lambda free: free.bytes) if known else None


def _available(root: Path) -> Iterator[Free]:
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            yield Free(bytes=int(rest.split()[0]) * 1024, where="of the machine's memory")


def _left_in_groups(root: Path) -> Iterator[Free]:
    """Of each control group above this process that has a limit (version 2, and version 1)."""
    top = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, kinds, own = line.split(":", 2)
        if kinds not in ("", "memory"):
            continue
        base = top / kinds
        limit, used = ("memory.max", "memory.current")
        if kinds:
            limit, used = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        # Inside a container the group's own folder may be mounted as the top.
        folders = {base, *(base / part for part in _above(own))}
        for folder in folders:
            most, now = _text(folder / limit).strip(), _text(folder / used).strip()
            if most.isdigit() and now.isdigit() and int(most) < _UNLIMITED:
                cache = _cache(folder / "memory.stat")
                left = max(0, int(most) - int(now) + cache)
                yield Free(bytes=left, where="of this container's memory")


def _above(own: str) -> Iterator[str]:
    parts = [part for part in own.split("/") if part]
    for count in range(len(parts), 0, -1):
        yield "/".join(parts[:count])


def _cache(stat: Path) -> int:
    """What the group uses for files that can be read again: the kernel gives it up first."""
    for line in _text(stat).splitlines():
        name, _, size = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file"):
            return int(size)
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
