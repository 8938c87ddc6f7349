"""Recipe strong, end to end on real images, and what is said of uneven classes and lost keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import striate
from striate.arch import zoo
from striate.building import build
from striate.data import Dataset, open_data
from striate.errors import DataError, RecipeError
from striate.flow.confidence import tta_of
from striate.flow.events import Evaluated, FitOptions, Probing, Training
from striate.flow.fit import fit_events
from striate.flow.imbalance import imbalance_said
from striate.flow.key_values import key_values
from striate.flow.possible import possible
from striate.records import EpochRecord
from striate.runs import known_setting, predict_split, read_metrics
from striate.training import Notice, Recipe, from_toml, named_recipe

Quick = Callable[..., FitOptions]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return open_data("digits")


def test_strong_trains_and_its_run_keeps_to_its_views(quick: Quick, digits: Dataset) -> None:
    options = quick(recipe="strong", changes={"tta": "views", "mix.share": 0.8}, batch=128)
    events = list(fit_events("digits", options))
    recipe = next(event.recipe for event in events if isinstance(event, Training))
    assert (recipe.augment.policy, recipe.drop_path, recipe.ema) == ("trivial", 0.1, 0.999)
    assert (recipe.mix.mixup, recipe.mix.cutmix, recipe.mix.share) == (0.2, 1.0, 0.8)
    assert (recipe.epochs, recipe.steps) == (1, 10)
    losses = [record.loss for record in read_metrics(Path("run/metrics.jsonl"))
              if hasattr(record, "loss")]  # fmt: skip
    assert len(losses) == 10
    assert np.isfinite(losses).all()
    judged = next(event.evaluation for event in events if isinstance(event, Evaluated))
    assert judged.tta == "views"

    loaded = striate.load("run")
    assert loaded.evaluation is not None
    assert loaded.evaluation.tta == tta_of(loaded) == "views"
    test = digits.test
    logs = predict_split(
        loaded.module, test, loaded.preprocessing, setting=known_setting("fp32"), tta="views"
    )
    assert (logs.argmax(axis=1) == test.labels).mean() == pytest.approx(judged.accuracy)
    torch.testing.assert_close(
        torch.from_numpy(np.exp(logs)), torch.tensor(loaded.evaluation.probabilities)
    )


def test_what_a_named_recipe_cannot_have_is_left_out_and_said(digits: Dataset) -> None:
    strong = from_toml(named_recipe("strong"))
    plain = build(zoo("lenet5"), device="meta")
    residual = build(zoo("resnet20"), device="meta")
    kept, said = possible(strong, digits, residual, asked_for=(), name="strong")
    assert (kept, said) == (strong, ())
    kept, said = possible(strong, digits, plain, asked_for=(), name="strong")
    assert kept.drop_path == 0
    assert len(said) == 1
    assert said[0].startswith("No stochastic depth (drop_path), though the recipe has it: the")
    deep = replace(digits, counts=np.zeros((1, 65536), np.int64))
    kept, said = possible(strong, deep, residual, asked_for=(), name="strong")
    assert kept.augment.policy == "none"
    assert "the images have 16 bits a value" in said[0]
    with pytest.raises(RecipeError, match=r"drop_path = 0\.1: the network has no residual block"):
        possible(strong, digits, plain, asked_for={"drop_path"}, name="strong")
    with pytest.raises(DataError, match="16 bits a value"):
        possible(strong, deep, residual, asked_for=(), name=None)
    empty = replace(digits, val=replace(digits.val, ids=digits.val.ids[:0]))
    with pytest.raises(RecipeError, match="patience = 3 needs validation images; set some apart"):
        possible(
            Recipe().with_({"patience": 3}), empty, plain, asked_for={"patience"}, name=None
        )  # fmt: skip


def uneven(digits: Dataset) -> Dataset:
    keep = np.flatnonzero((digits.train.labels != 3) | (np.arange(len(digits.train)) % 8 == 0))
    train = replace(digits.train, ids=digits.train.ids[keep], labels=digits.train.labels[keep])
    return replace(digits, train=train)


def test_uneven_classes_are_told_and_what_is_done_about_them(digits: Dataset) -> None:
    def said(**changes: Any) -> str:
        return " ".join(imbalance_said(Recipe().with_(changes), uneven(digits)))

    assert imbalance_said(Recipe(), digits) == ()
    assert said().startswith("The classes are uneven (")
    assert "--set sampling=balanced or --set class_weights=balanced" in said()
    assert "as often as any other" in said(sampling="balanced")
    assert "comes 7" in said(sampling="balanced") or "comes 8" in said(sampling="balanced")
    assert "weighed by class_weights" in said(class_weights="balanced")


def test_early_stop_counts_epochs_without_a_rise(quick: Quick) -> None:
    options = quick(epochs=30, batch=256, changes={"patience": 2}, lr=0.2)
    events = list(fit_events("digits", options))
    curve = [event.val_accuracy for event in events if isinstance(event, EpochRecord)]
    mark, since, stops = -1.0, 0, []
    for number, accuracy in enumerate(curve, 1):
        share = (mark * 179 + 2) / 183  # 179 validation images; Agresti and Coull's two and two
        if mark < 0 or accuracy > mark + np.sqrt(share * (1 - share) / 183):
            mark, since = accuracy, 0
        else:
            since += 1
        stops += [number] if since == 2 else []
    assert stops == [len(curve)]
    assert len(curve) < 30
    told = [event.text for event in events if isinstance(event, Notice)]
    assert told[0].startswith(f"stopped after epoch {len(curve)} of 30: for 2 epochs (patience)")
    result = striate.load("run").result
    assert result is not None
    assert result.epochs == len(curve)


def test_set_goes_before_the_recipe_and_after_nothing(quick: Quick) -> None:
    Path("r.toml").write_text("drop_path = 0.5\n[augment]\ncutout = 2\n")
    options = quick(recipe=Path("r.toml"), changes=key_values(["drop_path=0.25", "tta=flip"]))
    events = fit_events("digits", options)
    recipe = next(event.recipe for event in events if isinstance(event, Training))
    assert (recipe.drop_path, recipe.tta, recipe.augment.cutout) == (0.25, "flip", 2)
    with pytest.raises(
        RecipeError, match=r"--set: unknown key 'drop_pat'; did you mean drop_path\?"
    ):
        list(fit_events("digits", quick(out=None, changes={"drop_pat": 0.1})))
    with pytest.raises(RecipeError, match="--set lr: has an option of its own, which was given"):
        list(fit_events("digits", quick(out=None, changes={"lr": 0.1}, lr=0.2)))
    with pytest.raises(RecipeError, match="--set fine-tunes, and the weights are fresh ones"):
        list(fit_events("digits", quick(out=None, changes={"finetune.rate": 0.1})))


def test_reasons_hold_what_was_left_out(quick: Quick) -> None:
    Path("plain.toml").write_text(
        Path("tiny.toml").read_text().replace('block = "basic"', 'block = "conv"')
    )
    events = fit_events("digits", quick(arch="plain.toml", recipe="strong"))
    reasons = next(event.reasons for event in events if isinstance(event, Probing))
    assert any(reason.startswith("No stochastic depth (drop_path)") for reason in reasons)
