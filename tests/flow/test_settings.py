"""Which of three says what a setting is: an option, else the recipe file, else the default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import striate
from striate.errors import RecipeError
from striate.flow.events import FitOptions, Probing, Training
from striate.flow.fit import fit_events
from striate.training import Recipe

Quick = Callable[..., FitOptions]


@pytest.fixture
def frozen(quick: Quick) -> Callable[..., Recipe]:
    """``frozen(text, **changes)``: the recipe that is trained with, given a recipe file."""

    def recipe(text: str, **changes: object) -> Recipe:
        Path("recipe.toml").write_text(text)
        options = quick(recipe=Path("recipe.toml"), **changes)
        events = fit_events("digits", options)
        return next(event.recipe for event in events if isinstance(event, Training))

    return recipe


def test_a_file_goes_before_defaults(frozen: Callable[..., Recipe]) -> None:
    text = "seed = 7\nlr = 0.3\nworkers = 1\nepochs = 2\n[augment]\ncutout = 3\n"
    found = frozen(text, epochs=None)
    assert (found.seed, found.lr, found.workers, found.epochs) == (7, 0.3, 1, 2)
    assert found.augment.cutout == 3
    assert found.augment.translate == 1  # a default: the file says nothing of it


def test_an_option_goes_before_the_file(frozen: Callable[..., Recipe]) -> None:
    text = "seed = 7\nlr = 0.3\nepochs = 2\n[augment]\nflip = true\n"
    found = frozen(text, seed=0, lr=0.2, epochs=3, flip=False)
    assert (found.seed, found.lr, found.epochs, found.augment.flip) == (0, 0.2, 3, False)


def test_epochs_that_are_asked_for_go_before_minutes_of_the_file(
    frozen: Callable[..., Recipe],
) -> None:
    found = frozen("minutes = 0.005\n", epochs=2)
    assert (found.minutes, found.epochs, found.steps) == (None, 2, 40)


def test_the_recipe_of_a_run_trains_the_same_run(quick: Quick) -> None:
    first = striate.fit("digits", quick(seed=4))
    Path("run/recipe.toml").rename("recipe.toml")
    again = quick(out=Path("again"), recipe=Path("recipe.toml"), epochs=None, batch=None)
    assert striate.fit("digits", again).loss == first.loss


def test_the_seed_of_the_file_decides_the_first_weights(quick: Quick) -> None:
    # Not only the recipe's seed: a network built with another would train otherwise.
    asked = striate.fit("digits", quick(seed=7))
    Path("recipe.toml").write_text("seed = 7\n")
    found = striate.fit("digits", quick(out=Path("b"), recipe=Path("recipe.toml")))
    assert found.loss == asked.loss


def test_a_broken_file_is_named(frozen: Callable[..., Recipe]) -> None:
    with pytest.raises(RecipeError, match=r"recipe\.toml: unknown key 'augment\.flipp'; did you"):
        frozen("[augment]\nflipp = true\n")


def test_reasons_are_those_of_the_defaults_that_are_left(quick: Quick) -> None:
    def reasons(**changes: object) -> str:
        events = fit_events("digits", quick(**changes))
        return " ".join(next(e.reasons for e in events if isinstance(e, Probing)))

    every = reasons(epochs=None, batch=None)
    for start in ("63 epochs", "SGD with Nesterov", "No image is mirrored", "Images are shifted"):
        assert start in every
    assert "epochs" not in reasons()
    assert "SGD" not in reasons(lr=0.2)
    assert "mirrored" not in reasons(flip=True)
