"""From a recipe to a frozen one: the setting and the speed are measured, the steps are counted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from striate.data import Dataset, epoch_plan, load_batch
from striate.runs import SETTINGS, Preprocessing, known_setting
from striate.training import (
    Plan,
    Probe,
    Recipe,
    freeze,
    mean_speed,
    plan,
    probe,
    small_side,
    steps_per_epoch,
)

SPEED_SECONDS = 0.5
"""How long steps are timed where the setting is given and only its speed is new."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the probe found for images of the full size; ``small``: images a second of the small
    ones that come first, where the recipe has them.
    """

    probe: Probe
    small: float | None = None

    def speed(self, recipe: Recipe) -> float:
        """Images a second, over the whole training."""
        return mean_speed(recipe, full=self.probe.chosen.images_per_second, small=self.small)


def measured(
    module: nn.Module,
    dataset: Dataset,
    recipe: Recipe,
    *,
    fresh: bool = False,
    budget: float = 6.0,
) -> Measured:
    """Time training steps of ``module`` on ``dataset``'s first batch, in each setting that may be.

    ``fresh``: measure again what was measured before; ``budget``: seconds to time for.
    """
    given = recipe.setting != "auto"
    images, labels = _first_batch(dataset, recipe)
    classes = len(dataset.classes)
    found = probe(
        module,
        images,
        labels,
        recipe,
        classes=classes,
        candidates=(known_setting(recipe.setting),) if given else SETTINGS,
        fresh=fresh,
        budget=budget,
    )
    side = small_side(recipe, dataset.image)
    if side is None:
        return Measured(probe=found)
    less = probe(
        module,
        images[:, :, : side[0], : side[1]].contiguous(),
        labels,
        recipe,
        classes=classes,
        candidates=(found.setting,),
        fresh=fresh,
        budget=SPEED_SECONDS,
    )
    return Measured(probe=found, small=less.chosen.images_per_second)


def frozen_for(
    recipe: Recipe, dataset: Dataset, found: Measured, *, speed: float | None = None
) -> tuple[Recipe, Plan]:
    """``recipe`` with everything decided before step 1, and its plan.

    ``speed``: images a second, where they are not those that were found here.
    """
    planned = plan(
        recipe,
        train_images=len(dataset.train),
        val_images=len(dataset.val),
        images_per_second=found.speed(recipe) if speed is None else speed,
    )
    if found.probe.nondeterministic is not None:
        recipe = recipe.with_({"deterministic": False})
    frozen = freeze(recipe, planned, setting=found.probe.setting, decoder=dataset.decoder)
    return frozen, planned


def as_long(frozen: Recipe, like: Recipe, dataset: Dataset) -> Recipe:
    """``frozen`` with as many steps as ``like``, where those were planned by minutes; one that is
    planned by epochs has them already, on its own number of images.
    """
    if like.minutes is None or like.steps is None:
        return frozen
    per_epoch = steps_per_epoch(len(dataset.train), like.batch_size)
    return frozen.with_({"steps": like.steps, "epochs": -(-like.steps // per_epoch)})


def _first_batch(dataset: Dataset, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """The images and labels that the probe measures on, as the network gets them."""
    first = epoch_plan(dataset.train, seed=recipe.seed, epoch=1, batch_size=recipe.batch_size)[0]
    batch = load_batch(dataset.train, first, augment=None, seed=recipe.seed, epoch=1)
    return Preprocessing.of(dataset)(torch.as_tensor(batch.pixels)), torch.as_tensor(batch.labels)
