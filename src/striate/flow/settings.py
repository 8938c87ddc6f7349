"""Training settings of one ``fit``: the defaults for the data, a recipe file, the options."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import torch
from torch import nn

from striate.data import Dataset
from striate.errors import InputError, RecipeError
from striate.flow.events import FitOptions
from striate.flow.imbalance import imbalance_said
from striate.flow.possible import possible
from striate.flow.quick import NAME as QUICK
from striate.flow.quick import quick_defaults
from striate.flow.tuning import tuning_said
from striate.flow.weights import Loaded
from striate.runs import RunPaths
from striate.training import (
    TABLES,
    Facts,
    Recipe,
    default_recipe,
    load_recipe,
    named_recipe,
    recipe_names,
)


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


def recipe_file(options: FitOptions, *, fresh: bool = True) -> dict[str, Any]:
    """The keys that ``--recipe`` sets, by name or by file, and ``changes`` after it; flat
    (``augment.flip``) and checked.

    ``fresh``: whether the network's own weights are fresh ones, so that there is nothing to
    fine-tune unless trained ones are given; RecipeError where it is asked for all the same.
    """
    changes = dict(options.changes)
    Recipe().with_(changes, where="--set")
    flat: dict[str, Any] = {}
    if options.recipe is not None:
        name = _named(options)
        if name is None:
            path = Path(options.recipe)
            load_recipe(path)
            flat = _flat(path.read_text(encoding="utf-8"))
        else:
            flat = _flat(named_recipe(name))
    flat.update(changes)
    tunes = any(key.startswith("finetune.") for key in flat)
    if tunes and fresh and options.weights is None and not options.pretrained:
        raise RecipeError(
            f"{_where(options)} fine-tunes, and the weights are fresh ones that know "
            "nothing yet; add --weights FILE or --pretrained, or take --recipe standard"
        )
    return flat


def _named(options: FitOptions) -> str | None:
    """The recipe's name, where it is one; RecipeError for a word that is neither name nor file."""
    text = str(options.recipe)
    if text in recipe_names():
        return text
    if not Path(text).exists() and Path(text).name == text and not Path(text).suffix:
        named_recipe(text)  # raises, with the names there are
    return None


def _where(options: FitOptions) -> str:
    """Where the keys of ``recipe_file`` come from, as a person wrote it."""
    return "--set" if options.recipe is None else f"--recipe {options.recipe}"


def _flat(text: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tomllib.loads(text).items():
        if key in TABLES:
            flat.update({f"{key}.{inner}": each for inner, each in value.items()})
        else:
            flat[key] = value
    return flat


def asked(options: FitOptions) -> dict[str, Any]:
    """The recipe's keys that were asked for, flat; RecipeError for a value that cannot be."""
    wanted = {
        "epochs": options.epochs,
        "minutes": options.minutes,
        "batch_size": None if options.batch == "auto" else options.batch,
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
    twice = [key for key in options.changes if key in changes]
    if twice:
        raise RecipeError(f"--set {twice[0]}: has an option of its own, which was given too")
    if options.epochs is not None:
        changes["minutes"] = None  # of the recipe file: minutes would go before epochs
    return changes


def recipe_for(
    dataset: Dataset,
    module: nn.Module,
    options: FitOptions,
    from_file: dict[str, Any],
    *,
    loaded: Loaded | None = None,
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe that was asked for, and a sentence for each default that is in it.

    ``loaded``: the trained weights that ``module`` has; they are fine-tuned unless a recipe was
    named.
    """
    defaults = default_recipe(Facts.of(dataset, module))
    recipe = defaults.recipe.with_({"device": device_name("auto")})
    name = None if options.recipe is None else _named(options)
    by_default = loaded is not None and name is None
    if by_default:
        recipe = recipe.with_(_flat(named_recipe("finetune")))
    if name == QUICK:
        recipe = recipe.with_(quick_defaults(Facts.of(dataset, module)))
    recipe = recipe.with_(from_file, where=_where(options))
    if loaded is not None and recipe.finetune is not None:
        recipe = recipe.with_(_needless(loaded, {} if name else from_file))
    recipe = recipe.with_(asked(options), where="options")
    device_name(recipe.device)
    recipe, told = possible(recipe, dataset, module, asked_for=set(options.changes), name=name)
    before, after = defaults.recipe.model_dump(), recipe.model_dump()
    before, after = {**before, **before["augment"]}, {**after, **after["augment"]}
    kept = tuple(
        reason
        for keys, reason in zip(_REASONS, defaults.reasons, strict=True)
        if all(before[key] == after[key] for key in keys)
    )
    if recipe.finetune is not None:
        kept += tuning_said(recipe, module, loaded, by_default=by_default)
    return recipe, (*kept, *told, *imbalance_said(recipe, dataset))


def recipe_like(run: Path) -> tuple[Recipe, tuple[str, ...]]:
    """The frozen recipe of ``run``, by which another is trained, and a sentence on it."""
    path = RunPaths(run).recipe
    return load_recipe(path), (f"The recipe of {run}, frozen there.",)


def _needless(loaded: Loaded, from_file: dict[str, Any]) -> dict[str, Any]:
    """What a named recipe waits for and need not here: a last layer that is not fresh has nothing
    to learn first, and a stem that was adapted has something to learn.
    """
    needless: dict[str, Any] = {}
    if "head" not in loaded.adapted:
        needless["finetune.head_first"] = 0.0
    if loaded.adapted - {"head"}:
        needless["finetune.frozen_stem"] = 0.0
    return {key: value for key, value in needless.items() if key not in from_file}


_REASONS = (
    ("epochs", "minutes", "batch_size"),
    ("optimiser", "lr", "clip"),
    ("flip",),
    ("translate", "crop", "cutout"),
)
"""What each of ``default_recipe``'s reasons is about: one is told where its keys are as it says."""
