"""What the shell offers when the Tab key is pressed; loads no torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from striate.arch import zoo_names

_BUILT_IN = ("digits", "shapes")

_RECIPES = ("finetune", "quick", "standard", "strong")  # ``recipe_names``, whose room loads torch
_KEYS = (  # of ``Recipe``, whose room loads torch
    "augment.cutout=", "augment.erase=", "augment.policy=rand", "augment.policy=trivial",
    "augment.translate=", "class_weights=balanced", "clip=", "compile=off", "compile=on",
    "drop_path=", "ema=", "label_smoothing=", "mix.cutmix=", "mix.mixup=", "mix.share=",
    "momentum=", "optimiser=adamw", "optimiser=sgd", "patience=", "sampling=balanced",
    "schedule=cosine", "schedule=linear", "tta=flip", "tta=views", "warmup=", "weight_decay=",
)  # fmt: skip


def complete_zoo(incomplete: str) -> list[str]:
    """Names of the zoo."""
    return [name for name in zoo_names() if name.startswith(incomplete)]


def complete_code(incomplete: str) -> list[tuple[str, str]]:
    """Codes of the linter's rules, each with its name."""
    from striate.checking import rules

    return [(rule.code, rule.name) for rule in rules() if rule.code.startswith(incomplete.upper())]


def complete_target(incomplete: str) -> list[str]:
    """Names of the zoo, and TOML and Python files."""
    return _with_files(complete_zoo(incomplete), incomplete, (".toml", ".py"))


def complete_arch(incomplete: str) -> list[str]:
    """``auto``, or a TARGET."""
    names = [*(["auto"] if "auto".startswith(incomplete) else []), *complete_zoo(incomplete)]
    return _with_files(names, incomplete, (".toml", ".py"))


def complete_axis(incomplete: str) -> list[str]:
    """Axes of a sweep, with the sign that their values stand behind."""
    from striate.arch import known_keys
    from striate.scaling.axes import WHOLE

    names = (f"{name}=" for name in (*WHOLE, *known_keys()))
    return [name for name in names if name.startswith(incomplete)]


def complete_data(incomplete: str) -> list[str]:
    """Built-in data, folders, parquet and npz files."""
    names = [name for name in _BUILT_IN if name.startswith(incomplete)]
    return _with_files(names, incomplete, (".parquet", ".npz"))


def _with_files(names: list[str], incomplete: str, endings: tuple[str, ...]) -> list[str]:
    """``names``, and the paths that begin like them.

    Where no name fits, bash and zsh are left to complete paths themselves, which they do better
    (no space after a folder); fish asks us for everything.
    """
    if names or os.environ.get("_STRIATE_COMPLETE") == "complete_fish":
        return [*names, *_paths(incomplete, endings)]
    return []


def _paths(incomplete: str, endings: tuple[str, ...]) -> Iterator[str]:
    """Folders, with a slash, and files of those endings, that begin so; hidden ones if asked."""
    head, slash, start = incomplete.rpartition("/")
    try:
        entries = sorted(Path(head + slash or ".").expanduser().iterdir())
    except OSError:
        return  # there is no such folder, so there is nothing to offer
    for entry in entries:
        if entry.name.startswith(start) and (start or not entry.name.startswith(".")):
            if entry.is_dir():
                yield f"{head}{slash}{entry.name}/"
            elif entry.suffix in endings:
                yield f"{head}{slash}{entry.name}"


def complete_run(incomplete: str) -> list[str]:
    """Folders of runs: those of ``runs/`` first, then any folder that begins so."""
    found = sorted(path.parent for path in Path("runs").glob("*/run.json"))
    names = [str(path) for path in found if str(path).startswith(incomplete)]
    return names or _with_files(names, incomplete, ())


def complete_recipe(incomplete: str) -> list[str]:
    """Recipes that have a name, and TOML files."""
    names = [name for name in _RECIPES if name.startswith(incomplete)]
    return _with_files(names, incomplete, (".toml",))


def complete_key(incomplete: str) -> list[str]:
    """Keys of a recipe that are set by hand, with the values of those that have few."""
    return [word for word in _KEYS if word.startswith(incomplete)]


def complete_coded(incomplete: str) -> list[str]:
    """What ``striate code`` takes: names of the zoo, TOML files, runs."""
    runs = [str(path.parent) for path in sorted(Path("runs").glob("*/run.json"))]
    names = [*complete_zoo(incomplete), *(run for run in runs if run.startswith(incomplete))]
    return _with_files(names, incomplete, (".toml",))
