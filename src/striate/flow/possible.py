"""What a recipe asks for, and these images or this network cannot have.

A named recipe does without it, and says so; what a person asked for by its key is an error.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from torch import nn

from striate.building import droppable
from striate.data import Dataset
from striate.errors import DataError, RecipeError
from striate.training import Recipe, silent_norm, small_problem, whitening_problem


def possible(
    recipe: Recipe,
    dataset: Dataset,
    module: nn.Module,
    *,
    asked_for: Collection[str],
    name: str | None,
) -> tuple[Recipe, tuple[str, ...]]:
    """``recipe`` without what cannot be, and a sentence for each thing it lost.

    ``asked_for``: keys that a person set; ``name``: of the recipe, if it has one.  RecipeError and
    DataError where something else than a named recipe asks for what cannot be.
    """
    lost: dict[str, Any] = {}
    said: list[str] = []
    if recipe.drop_path and not droppable(module):
        why = "the network has no residual block that striate built, so none can be left out"
        if name is None or "drop_path" in asked_for:
            raise RecipeError(f"drop_path = {recipe.drop_path:g}: {why}; take drop_path away")
        lost["drop_path"] = 0.0
        said.append(f"No stochastic depth (drop_path), though the recipe has it: {why}.")
    if recipe.whiten and (why := whitening_problem(module)) is not None:
        if name is None or "whiten" in asked_for:
            raise RecipeError(f"whiten: {why}; leave whiten out, or change that convolution")
        lost["whiten"] = False
        said.append(f"No whitening filters (whiten), though the recipe has them: {why}.")
    if (why := small_problem(module, recipe, dataset.image)) is not None:
        if name is None or any(key.startswith("small") for key in asked_for):
            raise RecipeError(f"small: {why}; leave small out")
        lost["small"] = None
        said.append(f"One image size (small), though the recipe has two: {why}.")
    muon = recipe.muon if recipe.optimiser == "muon" else None
    if muon is not None and muon.norm == 0 and (norm := silent_norm(module)) is not None:
        why = f"{norm} begins at zero, and what comes before it would stay silent"
        if name is None or "muon.norm" in asked_for:
            raise RecipeError(f"muon.norm = 0: {why}; leave muon.norm out")
        lost["muon.norm"] = muon.scale
        said.append(f"Scales of norms learn (muon.norm), though the recipe leaves them: {why}.")
    try:
        recipe.augment.to_augment().refuse_for(dataset)
    except DataError as error:
        if recipe.augment.policy == "none" or name is None or "augment.policy" in asked_for:
            raise
        lost["augment.policy"] = "none"
        said.append(f"{str(error).partition(';')[0]}; so the recipe's policy is left out.")
    if recipe.patience and len(dataset.val) == 0:
        raise RecipeError(
            f"patience = {recipe.patience} needs validation images; set some apart with --val 0.1"
        )
    return recipe.with_(lost), tuple(said)
