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
    if asked == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch sees no CUDA device here; use --device cpu")
    if asked == "mps" and not torch.backends.mps.is_available():
        raise InputError("--device mps: torch sees no Metal device here; use --device cpu")
    return asked


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


def recipe_for(
    dataset: Dataset, module: nn.Module, options: FitOptions, from_file: dict[str, Any]
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe that was asked for, and a sentence for each default that went into it."""
    asked = {
        "epochs": options.epochs,
        "minutes": options.minutes,
        "batch_size": options.batch,
        "lr": options.lr,
        "augment.flip": options.flip,
        "threads": options.threads,
        "seed": options.seed,
        "workers": options.workers,
        "setting": None if options.setting == "auto" else options.setting,
        "device": device_name(options.device),
    }
    changes = {key: value for key, value in asked.items() if value is not None}
    defaults = default_recipe(Facts.of(dataset, module))
    recipe = defaults.recipe.with_(from_file, where=str(options.recipe))
    return recipe.with_(changes, where="options"), defaults.reasons
