"""How much memory a training step takes, by the Trace's model, and how much is free.

What lives at most in a step (``Totals.step_bytes``, gone through operation by operation) is traced
at the recipe's batch and at an eighth of it, and taken as linear in the batch.  It is a greatest of
linear functions, so what is between the two takes no more than that.  What a library takes as
workspace, and what an allocator cannot use, is not in it; ``SPARE`` of the free memory is left for
them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from striate.arch import Arch
from striate.building import build
from striate.data.room import available_memory
from striate.flow.network import Forward, shapes_of
from striate.flow.targets import Target
from striate.records.optimiser import OPTIMISERS
from striate.training import Recipe

SPARE = 0.2
"""Share of the free memory that is not planned with."""


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


def free_memory(device: str) -> int | None:
    """Bytes that this process may still take on ``device``; None where the system does not tell.

    On the CPU what is available, the limits of a container counted.
    """
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(torch.device(device))
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + held
    return available_memory() if device == "cpu" else None
