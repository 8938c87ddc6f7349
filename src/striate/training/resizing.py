"""Smaller images first: what is coarse is learned at a fraction of the cost (Howard 2018, "Training
Imagenet in 3 hours for USD 25"; Touvron et al. 2019 and Tan and Le 2021, section 4, on the sizes).

The size is a function of the step alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.training.recipe import Recipe


def small_side(recipe: Recipe, image: tuple[int, int, int]) -> tuple[int, int] | None:
    """(H, W) of the images at first; None where they have one size from the first to the last."""
    if recipe.small is None:
        return None
    height, width = (max(1, round(recipe.small.side * side)) for side in image[1:])
    return None if (height, width) == image[1:] else (height, width)


def small_steps(recipe: Recipe) -> int:
    """How many steps of a frozen recipe, from the first, see small images."""
    return 0 if recipe.small is None else round(recipe.small.until * (recipe.steps or 0))


def resized(images: Tensor, recipe: Recipe, *, step: int) -> Tensor:
    """(N, C, H, W) float32 → the size of ``step`` (1, 2, …), by triangles as wide as they must be
    (a resampling that takes every pixel into account).
    """
    side = small_side(recipe, (images.shape[1], images.shape[2], images.shape[3]))
    if side is None or step > small_steps(recipe):
        return images
    return F.interpolate(images, size=side, mode="bilinear", antialias=True, align_corners=False)


def small_problem(module: nn.Module, recipe: Recipe, image: tuple[int, int, int]) -> str | None:
    """Why ``module`` does not take the small images; None where it does, or none are asked for."""
    side = small_side(recipe, image)
    if side is None:
        return None
    was = module.training
    module.eval()
    try:
        with torch.no_grad():
            module(torch.zeros(1, image[0], *side, device=next(module.parameters()).device))
    except Exception as error:  # noqa: BLE001  # the user's own network may fail in any way
        said = " ".join(str(error).split())[:120]
        return f"the network does not take {side[0]}x{side[1]} images ({said})"
    finally:
        module.train(was)
    return None


def mean_speed(recipe: Recipe, *, full: float, small: float | None) -> float:
    """Images a second over the whole training, from those at either size."""
    if recipe.small is None or small is None:
        return full
    share = recipe.small.until
    return 1 / (share / small + (1 - share) / full)
