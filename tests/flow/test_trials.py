"""One training out of many: begun, gone on with, read back, and never done twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

import striate
from striate.arch import Arch, from_dict
from striate.data import DataOptions, Dataset, open_data
from striate.errors import RecipeError, RunError
from striate.flow.events import Finished, FitOptions
from striate.flow.fit import fit_events
from striate.flow.trials import Source, Trial, train_trial, trial_events, trial_recipe
from striate.records import EpochRecord
from striate.training import Recipe


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return open_data("digits")


@pytest.fixture(scope="module")
def arch() -> Arch:
    row = {"block": "conv", "depth": 1, "width": 8, "stride": 2}
    return from_dict({"name": "small", "image": [1, 8, 8], "classes": 10, "stages": [row]})


@pytest.fixture
def recipe(arch: Arch, digits: Dataset) -> Recipe:
    return trial_recipe(
        arch, digits, {"epochs": 2, "batch_size": 128, "setting": "fp32", "threads": 1}
    )


def _steps(folder: Path) -> list[int]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [record["step"] for record in map(json.loads, lines) if record["kind"] == "step"]


def test_a_trial_says_what_its_run_holds(
    arch: Arch, digits: Dataset, recipe: Recipe, tmp_path: Path
) -> None:
    trial = train_trial(arch, digits, recipe, tmp_path / "a")
    run = striate.load(tmp_path / "a")
    assert run.evaluation is not None
    assert trial.accuracy == run.evaluation.accuracy == trial.run.accuracy
    last = [record for record in run.metrics if isinstance(record, EpochRecord)][-1]
    assert trial.curve[-1] == last.val_accuracy
    assert trial.judged == trial.val_accuracy in trial.curve
    assert trial.steps == 20
    assert trial.from_step == 0
    assert trial.val_images == len(digits.val)
    assert not (tmp_path / "a" / "report.html").exists()


def test_what_is_finished_is_read_back(
    arch: Arch, digits: Dataset, recipe: Recipe, tmp_path: Path
) -> None:
    first = train_trial(arch, digits, recipe, tmp_path / "a")
    before = (tmp_path / "a" / "metrics.jsonl").read_bytes()
    again = train_trial(arch, digits, recipe, tmp_path / "a")
    assert again.from_step == again.steps == 20
    assert (again.accuracy, again.curve) == (first.accuracy, first.curve)
    assert (tmp_path / "a" / "metrics.jsonl").read_bytes() == before


def test_what_was_left_is_gone_on_with_to_the_same_bits(
    arch: Arch, digits: Dataset, recipe: Recipe, tmp_path: Path
) -> None:
    train_trial(arch, digits, recipe, tmp_path / "whole")
    for event in trial_events(arch, digits, recipe, tmp_path / "cut"):
        if isinstance(event, EpochRecord):
            break
    trial = train_trial(arch, digits, recipe, tmp_path / "cut")
    assert trial.from_step == 10
    assert _steps(tmp_path / "cut") == list(range(1, 21))
    whole, cut = (striate.load(tmp_path / name).module.state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_what_was_killed_while_it_began_is_begun_anew(
    arch: Arch, digits: Dataset, recipe: Recipe, tmp_path: Path
) -> None:
    train_trial(arch, digits, recipe, tmp_path / "whole")
    left = tmp_path / "left"
    left.mkdir()
    for name in ("arch.toml", "preprocessing.json", ".lock"):
        shutil.copy(tmp_path / "whole" / name, left / name)
    (left / ".recipe.toml.1.part").write_text("seed")
    assert train_trial(arch, digits, recipe, left).from_step == 0


def test_fit_resumes_a_trial(arch: Arch, digits: Dataset, recipe: Recipe, tmp_path: Path) -> None:
    whole = train_trial(arch, digits, recipe, tmp_path / "whole")
    for event in trial_events(arch, digits, recipe, tmp_path / "cut", source=Source(spec="digits")):
        if isinstance(event, EpochRecord):
            break
    *_, last = fit_events(None, FitOptions(resume=tmp_path / "cut"))
    assert isinstance(last, Finished)
    assert last.run.accuracy == whole.accuracy


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "was begun with seed = 0, and now 1 is asked for"),
        ({"epochs": 3}, "was begun with epochs = 2, and now 3 is asked for"),
    ],
)
def test_another_recipe_is_refused(
    arch: Arch,
    digits: Dataset,
    recipe: Recipe,
    tmp_path: Path,
    change: dict[str, int],
    said: str,
) -> None:
    train_trial(arch, digits, recipe, tmp_path / "a")
    with pytest.raises(RunError, match=said):
        train_trial(arch, digits, recipe.with_(change), tmp_path / "a")


def test_another_network_and_other_data_are_refused(
    arch: Arch, digits: Dataset, recipe: Recipe, tmp_path: Path
) -> None:
    train_trial(arch, digits, recipe, tmp_path / "a")
    other = arch.model_copy(update={"zero_init": True})
    with pytest.raises(RunError, match="holds a run of another network"):
        train_trial(other, digits, recipe, tmp_path / "a")
    others = open_data("digits", DataOptions(seed=1))
    with pytest.raises(RunError, match="was trained on other data"):
        train_trial(arch, others, recipe, tmp_path / "a")


def test_a_recipe_that_cannot_be_is_named(arch: Arch, digits: Dataset) -> None:
    with pytest.raises(RecipeError, match=r"^--epochs: epochs = 0"):
        trial_recipe(arch, digits, {"epochs": 0}, where="--epochs")


def test_the_last_event_is_the_trial(
    arch: Arch, digits: Dataset, recipe: Recipe, tmp_path: Path
) -> None:
    events = list(trial_events(arch, digits, recipe, tmp_path / "a"))
    assert isinstance(events[-1], Trial)
    assert sum(isinstance(event, Trial) for event in events) == 1
