"""Recipe ``quick``: its network, what follows the data, what is left out where it does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch import nn

from striate.arch import Arch, Stage, Stem, adapt, map_sizes, to_toml, zoo
from striate.building import build
from striate.checking import check
from striate.data import Dataset, open_data
from striate.errors import RecipeError
from striate.flow import fit as fitting
from striate.flow.choose import Need
from striate.flow.events import FitOptions, Probing
from striate.flow.possible import possible
from striate.flow.quick import FEWEST_EPOCHS, KNOWN, choose_quick, quick_defaults
from striate.runs import read_metrics
from striate.training import Facts, Recipe, load_recipe, named_recipe, whitening_problem
from striate.training import from_toml as recipe_from_toml


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return open_data("digits")


def need(
    image: tuple[int, int, int] = (3, 32, 32), minutes: float = 5, images: int = 50_000
) -> Need:
    return Need(
        image=image, classes=10, train_images=images, seconds=60 * minutes, epochs=30, cores=2
    )


@pytest.mark.parametrize(
    "image", [(3, 32, 32), (1, 8, 8), (3, 64, 48), (1, 28, 28), (3, 224, 224), (4, 100, 160)]
)
def test_its_network_suits_any_image(image: tuple[int, int, int]) -> None:
    choice = choose_quick(need(image))
    network = build(choice.arch, seed=0)
    assert whitening_problem(network) is None
    assert min(map_sizes(choice.arch)[-1]) <= 4
    assert {finding.code for finding in check(choice.trace)} <= KNOWN
    assert choice.arch.image == image


def test_on_cifar_it_is_the_papers() -> None:
    arch = choose_quick(need()).arch
    paper = zoo("airbench94")
    assert arch.model_copy(update={"name": paper.name}) == paper


def test_it_grows_with_the_time_and_the_images_allow_it() -> None:
    def macs(minutes: float, images: int = 50_000) -> int:
        return choose_quick(need(minutes=minutes, images=images)).trace.totals.macs

    assert macs(0.2) < macs(1) < macs(5) < macs(20)
    few = choose_quick(need(minutes=60, images=2_000)).trace.totals
    assert few.params <= 200 * 2_000
    assert FEWEST_EPOCHS > 1


def test_the_batch_follows_the_data() -> None:
    def facts(images: int, crops: bool = False) -> Facts:
        return Facts(train_images=images, classes=10, image=(3, 32, 32), normed=True, crops=crops)

    assert quick_defaults(facts(50_000))["batch_size"] == 2_000
    assert quick_defaults(facts(1_000_000))["batch_size"] == 2_000
    assert quick_defaults(facts(1_250))["batch_size"] == 50
    assert quick_defaults(facts(30))["batch_size"] == 8
    assert quick_defaults(facts(50_000))["augment.translate"] == 2
    assert quick_defaults(facts(50_000, crops=True))["augment.translate"] == 0


def test_what_does_not_fit_is_left_out_and_said(digits: Dataset) -> None:
    recipe = Recipe().with_({"whiten": True, "small.side": 0.5})
    network = build(adapt(zoo("resnet20"), image=(1, 8, 8), classes=10))
    found, said = possible(recipe, digits, network, asked_for=(), name="quick")
    assert not found.whiten
    assert found.small == recipe.small
    assert " ".join(said) == (
        "No whitening filters (whiten), though the recipe has them: stem.conv has 16 filters of "
        "1×3×3, and both signs of every component would be 18."
    )
    flat = nn.Sequential(nn.Conv2d(1, 8, 2), nn.Flatten(), nn.Linear(8 * 7 * 7, 10))
    found, said = possible(recipe, digits, flat, asked_for=(), name="quick")
    assert found.whiten
    assert found.small is None
    assert said[0].startswith(
        "One image size (small), though the recipe has two: the network does not take 4x4 images"
    )
    with pytest.raises(RecipeError, match=r"small: the network does not take 4x4"):
        possible(recipe, digits, flat, asked_for={"small.side"}, name="quick")


def test_a_recipe_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "white.toml"
    file.write_text("whiten = true\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"whiten: stem\.conv has 16 filters of"):
        fitting.fit("digits", FitOptions(recipe=str(file), arch="resnet20", epochs=1))
    file.write_text("[small]\nside = 0.5\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"small: the network does not take 4x4 images"):
        fitting.fit("digits", FitOptions(recipe=str(file), arch="mlp", epochs=1))


def test_a_norm_that_begins_at_zero_learns_and_that_is_said(tmp_path: Path) -> None:
    """Its branch would be silent to the end; most residual networks of the zoo have such norms."""
    out = tmp_path / "run"
    arch = tmp_path / "some.toml"
    network = Arch(
        name="some", image=(1, 8, 8), classes=10, stem=Stem(width=8), zero_init=True,
        stages=(Stage(block="basic", depth=1, width=8),),
    )  # fmt: skip
    arch.write_text(to_toml(network), encoding="utf-8")
    options = FitOptions(recipe="quick", arch=str(arch), epochs=1, threads=1, out=out)
    events = list(fitting.fit_events("digits", options))
    said = next(event.reasons for event in events if isinstance(event, Probing))
    assert any("norm2.weight begins at zero" in one for one in said)
    recipe = load_recipe(out / "recipe.toml")
    assert recipe.muon is not None
    assert recipe.muon.norm == recipe.muon.scale > 0
    scale = load_file(out / "weights.safetensors")["stages.0.blocks.0.norm2.weight"]
    assert scale.abs().min() > 0
    asked = replace(options, out=tmp_path / "other", changes={"muon.norm": 0})
    with pytest.raises(RecipeError, match=r"muon\.norm = 0: .*norm2\.weight begins at zero"):
        fitting.fit("digits", asked)


def test_it_trains_digits_with_few_passes(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run = fitting.fit("digits", FitOptions(recipe="quick", epochs=4, threads=1, out=out))
    assert run.accuracy > 0.95
    recipe = load_recipe(out / "recipe.toml")
    assert (recipe.optimiser, recipe.whiten, recipe.epochs) == ("muon", True, 4)
    assert recipe.muon is not None
    assert (out / "start.safetensors").exists()
    records = list(read_metrics(out / "metrics.jsonl"))
    assert records[0].loss < 3


def test_the_file_says_what_it_says() -> None:
    recipe = recipe_from_toml(named_recipe("quick"))
    assert recipe.minutes == 5
    assert (recipe.small and recipe.small.side, recipe.lr, recipe.momentum) == (0.75, 0.24, 0.6)
