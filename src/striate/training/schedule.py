"""The learning rate of each step, as a function of the step alone."""

from __future__ import annotations

import math

from striate.training.recipe import Recipe


def lr_at(recipe: Recipe, step: int, steps: int) -> float:
    """The rate of step ``step`` (1 … ``steps``).

    It rises linearly over the first ``warmup`` share of the steps and reaches ``recipe.lr`` with
    the last of them, then falls as a half cosine (Loshchilov and Hutter 2017, equation 5) or a
    straight line that would be zero one step after the last.
    """
    warm = round(recipe.warmup * steps)
    if step <= warm:
        return recipe.lr * step / warm
    done = (step - warm - 1) / (steps - warm)
    left = 0.5 * (1 + math.cos(math.pi * done)) if recipe.schedule == "cosine" else 1 - done
    return recipe.lr * left
