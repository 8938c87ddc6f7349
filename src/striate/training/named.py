"""Recipes that have a name: TOML files beside this one, whose keys replace the defaults."""

from __future__ import annotations

from importlib.resources import files

from striate.errors import RecipeError, choices

_FOLDER = files("striate.training") / "recipes"


def recipe_names() -> tuple[str, ...]:
    """The names, in alphabetical order.

    >>> recipe_names()
    ('finetune', 'quick', 'standard', 'strong')
    """
    found = (path.name for path in _FOLDER.iterdir())
    return tuple(sorted(name[:-5] for name in found if name.endswith(".toml")))


def named_recipe(name: str) -> str:
    """The TOML text of the recipe of that name; RecipeError with the names if there is none."""
    if name not in recipe_names():
        raise RecipeError(f"no recipe {name!r}, and no such file; {choices(name, recipe_names())}")
    return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")
