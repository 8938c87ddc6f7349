"""The learning-rate range test: which rates this network learns at, in some steps of training.

Smith 2017, "Cyclical learning rates for training neural networks", section 3.3, with a rate that
rises by a factor instead of a sum, so that five orders of magnitude are seen.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Generator, Sequence
from contextlib import closing

import numpy as np
import torch
from torch import nn

from striate.building import stochastic_depth
from striate.data import Batch, Dataset, batches, epoch_plan
from striate.records.rates import RateCurve, RatePoint
from striate.runs import Preprocessing, known_setting, logits_of, place
from striate.training.finetuning import scales
from striate.training.layers import layers_of
from striate.training.loss import Loss
from striate.training.optimiser import make_optimiser, set_lr
from striate.training.recipe import Recipe
from striate.training.steady import steady_process, steady_step
from striate.training.whitening import whitened

BELOW, ABOVE = 1e-3, 1e2
"""The rates that are tried, as multiples of the recipe's."""
WINDOW = 1 / 20
"""The loss is smoothed by an exponential moving average over this share of the steps."""
HOPELESS = 4.0
"""The test ends when the smoothed loss is this many times its lowest."""
FELL = 0.99
"""The lowest smoothed loss must be this share of the first, or the loss has not fallen."""


def find_rate(module: nn.Module, dataset: Dataset, recipe: Recipe, *, steps: int) -> RateCurve:
    """Train a copy of ``module`` for ``steps`` at rising rates; ``module``, the process's threads
    and every random generator are left as they were.

    Batches, augmentation, mixing and loss are the recipe's own, in fp32 where its setting is
    ``auto``.  A pure function of the recipe, the data and the weights.
    """
    setting = known_setting("fp32" if recipe.setting == "auto" else recipe.setting)
    own = place(copy.deepcopy(module), setting, recipe.device).train()
    optimiser = make_optimiser(own, recipe)
    factors = () if recipe.finetune is None else scales(recipe.finetune, layers_of(own))
    preprocessing, criterion = Preprocessing.of(dataset), Loss.of(recipe, dataset)
    low, high = BELOW * recipe.lr, ABOVE * recipe.lr
    points: list[RatePoint] = []
    mean, diverged = 0.0, False
    keep = 1 - 1 / max(2.0, WINDOW * steps)
    threads = recipe.threads or torch.get_num_threads()
    with (
        steady_process(threads=threads, deterministic=False),
        whitened(own, dataset, recipe, keep=None),
        stochastic_depth(own, recipe.drop_path),
        closing(_feed(dataset, recipe)) as feed,
    ):
        for step, batch in enumerate(itertools.islice(feed, steps), 1):
            lr = low * (high / low) ** ((step - 1) / (steps - 1))
            set_lr(optimiser, lr, [lr * factor for factor in factors])
            images = preprocessing(torch.as_tensor(batch.pixels).to(recipe.device))
            optimiser.zero_grad()
            with steady_step(recipe.seed, step, torch.as_tensor(batch.keys.view(np.int64))):
                logits = logits_of(own, images, setting, len(preprocessing.classes))
                loss = criterion(logits, batch)
                value = loss.item()
                mean = keep * mean + (1 - keep) * value
                smooth = mean / (1 - keep**step)  # as if it had always been so
                points.append(RatePoint(lr=lr, loss=value, smooth=smooth))
                least = min(point.smooth for point in points)
                if not math.isfinite(value) or smooth > HOPELESS * least:
                    diverged = True
                    break
                loss.backward()
            optimiser.step()
    lowest, steepest = judged(points)
    return RateCurve(
        network=type(module).__name__,
        optimiser=recipe.optimiser,
        batch_size=recipe.batch_size,
        setting=setting,
        lr=recipe.lr,
        points=tuple(points),
        lowest=lowest,
        steepest=steepest,
        suggestion=None if lowest is None else lowest / 10,
        diverged=diverged,
    )


def judged(points: Sequence[RatePoint]) -> tuple[float | None, float | None]:
    """The rates at which the smoothed loss is lowest, and from which it falls fastest before that;
    None, None where it does not fall.
    """
    finite = [point for point in points if math.isfinite(point.smooth)]
    if not finite:
        return None, None
    at = min(range(len(finite)), key=lambda place: finite[place].smooth)
    if at == 0 or finite[at].smooth > FELL * finite[0].smooth:
        return None, None
    falls = [
        (after.smooth - before.smooth) / math.log(after.lr / before.lr)
        for before, after in itertools.pairwise(finite[: at + 1])
    ]
    return finite[at].lr, finite[min(range(len(falls)), key=falls.__getitem__)].lr


def _feed(dataset: Dataset, recipe: Recipe) -> Generator[Batch]:
    """The recipe's batches, epoch after epoch without end."""
    for epoch in itertools.count(1):
        plan = epoch_plan(
            dataset.train,
            seed=recipe.seed,
            epoch=epoch,
            batch_size=recipe.batch_size,
            sampling=recipe.sampling,
        )
        yield from batches(
            dataset.train,
            plan,
            augment=recipe.augment.to_augment(),
            seed=recipe.seed,
            epoch=epoch,
            workers=0,
            mix=recipe.mix.to_mix(),
        )
