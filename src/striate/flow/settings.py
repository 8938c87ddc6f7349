"""Training settings of one ``fit``: the defaults for the data, a recipe file, the options."""

from __future__ import annotations

import tomllib
from typing import Any

import torch
from torch import nn

from striate.data import Dataset
from striate.errors import InputError, RecipeError
from striate.flow.events import FitOptions
from striate.training import Facts, Recipe, default_recipe, load_recipe


def device_name(asked: str) -> str:
    """``auto`` is CUDA where torch sees it, else the CPU; InputError for one that is not there."""
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device {asked}: torch sees no CUDA device here; use --device cpu")
    if asked == "mps" and not torch.backends.mps.is_available():
        raise InputError("device mps: torch sees no Metal device here; use --device cpu")
    return asked


def seed_of(options: FitOptions, from_file: dict[str, Any]) -> int:
    """The seed that was asked for, else the recipe file's, else 0."""
    return from_file.get("seed", 0) if options.seed is None else options.seed


def refuse_two_lengths(options: FitOptions) -> None:
    """RecipeError where both epochs and minutes are asked for."""
    if options.epochs is not None and options.minutes is not None:
        raise RecipeError(
            f"--epochs {options.epochs} and --minutes {options.minutes:g} both set the length; "
            "give one of them"
        )


def recipe_file(options: FitOptions) -> dict[str, Any]:
    """The keys that ``--recipe FILE`` sets, flat (``augment.flip``), after they were checked."""
    if options.recipe is None:
        return {}
    load_recipe(options.recipe)
    flat: dict[str, Any] = {}
    for key, value in tomllib.loads(options.recipe.read_text(encoding="utf-8")).items():
        if key == "augment":
            flat.update({f"augment.{inner}": each for inner, each in value.items()})
        else:
            flat[key] = value
    return flat


def asked(options: FitOptions) -> dict[str, Any]:
    """The recipe's keys that were asked for, flat; RecipeError for a value that cannot be."""
    wanted = {
        "epochs": options.epochs,
        "minutes": options.minutes,
        "batch_size": options.batch,
        "lr": options.lr,
        "augment.flip": options.flip,
        "threads": options.threads,
        "seed": options.seed,
        "workers": options.workers,
        "setting": None if options.setting == "auto" else options.setting,
        "device": None if options.device == "auto" else device_name(options.device),
    }
    changes: dict[str, Any] = {key: value for key, value in wanted.items() if value is not None}
    Recipe().with_(changes, where="options")
    if options.epochs is not None:
        changes["minutes"] = None  # of the recipe file: minutes would go before epochs
    return changes


def recipe_for(
    dataset: Dataset, module: nn.Module, options: FitOptions, from_file: dict[str, Any]
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe that was asked for, and a sentence for each default that is in it."""
    defaults = default_recipe(Facts.of(dataset, module))
    recipe = defaults.recipe.with_({"device": device_name("auto")})
    recipe = recipe.with_(from_file, where=str(options.recipe))
    recipe = recipe.with_(asked(options), where="options")
    device_name(recipe.device)
    before, after = defaults.recipe.model_dump(), recipe.model_dump()
    before, after = {**before, **before["augment"]}, {**after, **after["augment"]}
    kept = tuple(
        reason
        for keys, reason in zip(_REASONS, defaults.reasons, strict=True)
        if all(before[key] == after[key] for key in keys)
    )
    return recipe, kept


_REASONS = (
    ("epochs", "minutes", "batch_size"),
    ("optimiser", "lr", "clip"),
    ("flip",),
    ("translate", "crop", "cutout"),
)
"""What each of ``default_recipe``'s reasons is about: one is told where its keys are as it says."""
