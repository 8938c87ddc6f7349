"""How many steps a training has, decided before the first of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from striate.errors import RecipeError
from striate.runs import Compile, Setting, versions
from striate.training.recipe import MuonPart, Recipe

EVALUATION_COST = 1 / 3
"""Cost of looking at an image without training on it: the forward pass is about a third of the
forward and backward passes, whose convolutions are computed for two gradients (input, weight)."""

OVERHEAD = 0.05
"""Share of the budget kept for what the probe does not see: loading, checkpoints, records."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """``steps`` optimiser steps in ``epochs`` epochs, of which the last may be cut short.

    ``seconds``: expected training time, validation included; None where no speed is known.
    """

    steps: int
    epochs: int
    seconds: float | None


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Batches that hold ``images`` at no more than ``batch_size`` each."""
    return -(-images // batch_size)


def plan_minutes(
    minutes: float,
    *,
    train_images: int,
    val_images: int,
    batch_size: int,
    images_per_second: float,
    before: float = 0.0,
) -> Plan:
    """As many steps as fit into ``minutes`` at ``images_per_second`` of training; at least one.

    An epoch costs its training images, and its validation images at ``EVALUATION_COST`` each;
    ``OVERHEAD`` of the budget is kept back.  An epoch that is cut short is validated too.
    ``before``: seconds of the budget that go by before the first step.
    """
    if images_per_second <= 0:
        raise RecipeError(f"a speed of {images_per_second} images/s cannot be planned with")
    seconds = max(0.0, minutes * 60 * (1 - OVERHEAD) - before)
    budget = seconds * images_per_second  # in trained images
    validation = val_images * EVALUATION_COST
    whole = math.floor(budget / (train_images + validation))
    per_epoch = steps_per_epoch(train_images, batch_size)
    mean_batch = train_images / per_epoch
    left = budget - whole * (train_images + validation) - validation
    rest = max(0, math.floor(left / mean_batch))
    steps = max(1, whole * per_epoch + rest)
    epochs = -(-steps // per_epoch)
    cost = steps * mean_batch + epochs * validation
    return Plan(steps=steps, epochs=epochs, seconds=before + cost / images_per_second)


def plan_epochs(
    epochs: int,
    *,
    train_images: int,
    val_images: int,
    batch_size: int,
    images_per_second: float | None = None,
    before: float = 0.0,
) -> Plan:
    """``epochs`` whole epochs, and how long they are expected to take where the speed is known,
    with the seconds ``before`` the first step.
    """
    seconds = None
    if images_per_second:
        seconds = (
            before + epochs * (train_images + val_images * EVALUATION_COST) / images_per_second
        )
    return Plan(
        steps=epochs * steps_per_epoch(train_images, batch_size), epochs=epochs, seconds=seconds
    )


def plan(
    recipe: Recipe,
    *,
    train_images: int,
    val_images: int,
    images_per_second: float | None,
    before: float = 0.0,
) -> Plan:
    """The recipe's plan: by its ``minutes`` (and ``most_epochs``) where it has them, else by its
    ``epochs``.  ``before``: seconds that go by before the first step, in compiling.

    ``RecipeError`` where minutes are asked for and no speed was measured.
    """
    sizes = {
        "train_images": train_images,
        "val_images": val_images,
        "batch_size": recipe.batch_size,
    }
    if recipe.minutes is None:
        return plan_epochs(
            recipe.epochs, images_per_second=images_per_second, before=before, **sizes
        )
    if images_per_second is None:
        raise RecipeError(
            f"minutes = {recipe.minutes:g} needs a measured speed; let the probe run, "
            "or give epochs"
        )
    found = plan_minutes(
        recipe.minutes, images_per_second=images_per_second, before=before, **sizes
    )
    if recipe.most_epochs is not None and found.epochs > recipe.most_epochs:
        return plan_epochs(
            recipe.most_epochs, images_per_second=images_per_second, before=before, **sizes
        )
    return found


def freeze(
    recipe: Recipe, plan: Plan, *, setting: Setting, decoder: str, compiled: Compile = "off"
) -> Recipe:
    """``recipe`` with everything decided that depends on the clock or the machine."""
    return recipe.with_(
        {
            "epochs": plan.epochs,
            "steps": plan.steps,
            "setting": setting,
            "compile": compiled,
            "threads": recipe.threads or torch.get_num_threads(),
            "decoder": decoder,
            **({"muon": MuonPart()} if recipe.optimiser == "muon" and not recipe.muon else {}),
            "versions": versions(),
        }
    )
