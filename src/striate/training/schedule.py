"""The learning rate of each step, as a function of the step alone."""

from __future__ import annotations

import math

from striate.training.recipe import Recipe


def lr_at(recipe: Recipe, step: int, steps: int, *, start: int = 0) -> float:
    """The rate of step ``step`` (1 … ``steps``).

    It rises linearly over the first ``warmup`` share of the steps and reaches ``recipe.lr`` with
    the last of them, then falls as a half cosine (Loshchilov and Hutter 2017, equation 5) or a
    straight line that would be zero one step after the last.  What is trained only after step
    ``start`` has the same fall, and a rise of its own, as long, from there; before, 0.
    """
    warm = round(recipe.warmup * steps)
    if step <= warm and not start:
        return recipe.lr * step / warm
    rise = min(1.0, max(0, step - start) / max(1, warm)) if start else 1.0
    if step <= warm:
        return recipe.lr * rise
    done = (step - warm - 1) / (steps - warm)
    left = 0.5 * (1 + math.cos(math.pi * done)) if recipe.schedule == "cosine" else 1 - done
    return recipe.lr * left * rise
