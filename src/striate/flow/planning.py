"""From a recipe to a frozen one: the setting and the speed are measured, the steps are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from striate.data import Dataset, epoch_plan, load_batch
from striate.flow.compiling import Compiling, Side, found_compiling, kinds_to_try
from striate.runs import SETTINGS, Preprocessing, known_setting
from striate.training import (
    Plan,
    Probe,
    Recipe,
    compiled_sizes,
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
    ones that come first, where the recipe has them; what was found about compiling its steps.
    """

    probe: Probe
    small: float | None = None
    compiling: Compiling = field(default_factory=Compiling)

    def speed(self, recipe: Recipe) -> float:
        """Images a second, over the whole training."""
        if self.compiling.speed is not None:
            return self.compiling.speed
        return mean_speed(recipe, full=self.probe.chosen.images_per_second, small=self.small)


def measured(
    module: nn.Module,
    dataset: Dataset,
    recipe: Recipe,
    *,
    fresh: bool = False,
    budget: float = 6.0,
    uncompiled: str | None = None,
) -> Measured:
    """Time training steps of ``module`` on ``dataset``'s first batch, in each setting that may be.

    ``fresh``: measure again what was measured before; ``budget``: seconds to time for.
    ``uncompiled``: why its steps are not compiled, whatever it would bring.
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
    sides = [Side(images=images, share=1.0, plain=found.chosen.images_per_second)]
    side = small_side(recipe, dataset.image)
    small = None
    if side is not None and recipe.small is not None:
        fewer = images[:, :, : side[0], : side[1]].contiguous()
        less = probe(
            module,
            fewer,
            labels,
            recipe,
            classes=classes,
            candidates=(found.setting,),
            fresh=fresh,
            budget=SPEED_SECONDS,
        )
        small = less.chosen.images_per_second
        share = recipe.small.until
        sides = [replace(sides[0], share=1 - share), Side(images=fewer, share=share, plain=small)]
    whole = Measured(probe=found, small=small)
    compiling = _compiling(
        module, dataset, recipe, whole, sides, labels, fresh=fresh, never=uncompiled
    )
    compiled = compiling.speed is not None
    results = tuple(replace(one, chosen=one.chosen and not compiled) for one in found.results)
    table = replace(found, results=(*results, *compiling.results))
    return replace(whole, probe=table, compiling=compiling)


def _compiling(
    module: nn.Module,
    dataset: Dataset,
    recipe: Recipe,
    found: Measured,
    sides: Sequence[Side],
    labels: Tensor,
    *,
    fresh: bool,
    never: str | None,
) -> Compiling:
    """Whether compiling pays within the training that was planned at the speeds of ``found``."""
    planned = plan(
        recipe,
        train_images=len(dataset.train),
        val_images=len(dataset.val),
        images_per_second=found.speed(recipe),
    )
    shapes = len(sides) * len(compiled_sizes(len(dataset.train), recipe.batch_size))
    kinds = kinds_to_try(recipe, module, seconds=planned.seconds or 0.0, shapes=shapes, never=never)
    if found.probe.nondeterministic is not None:
        recipe = recipe.with_({"deterministic": False})
    return found_compiling(
        module,
        labels,
        recipe,
        sides,
        kinds=kinds,
        setting=found.probe.setting,
        classes=len(dataset.classes),
        train_images=len(dataset.train),
        steps=planned.steps,
        fresh=fresh,
    )


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
        before=found.compiling.seconds,
    )
    if found.probe.nondeterministic is not None:
        recipe = recipe.with_({"deterministic": False})
    frozen = freeze(
        recipe,
        planned,
        setting=found.probe.setting,
        decoder=dataset.decoder,
        compiled=found.probe.compile,
    )
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
