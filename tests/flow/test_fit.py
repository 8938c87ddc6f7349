"""``fit`` from end to end: what it tells, what it writes, and that it can be read back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import torch

import striate
from striate.arch import load_arch, to_toml, zoo
from striate.data import open_data
from striate.errors import DataError, InputError, OutputError, RecipeError
from striate.flow.events import (
    Checked,
    DataReady,
    Evaluated,
    Finished,
    FitOptions,
    NetworkReady,
    Probed,
    Probing,
    Training,
)
from striate.flow.fit import fit_events
from striate.records import EpochRecord, StepRecord
from striate.runs import evaluate, load_evaluation
from striate.training import load_recipe

Quick = Callable[..., FitOptions]


def test_events_come_in_their_order(quick: Quick) -> None:
    read: list[tuple[int, int]] = []
    events = list(
        fit_events(
            "digits", quick(epochs=2), reading=lambda done, total: read.append((done, total))
        )
    )
    kinds = [(kind, len(list(some))) for kind, some in groupby(events, key=type)]
    assert kinds == [
        (DataReady, 1),
        (NetworkReady, 1),
        (Checked, 1),
        (Probing, 1),
        (Probed, 1),
        (Training, 1),
        (StepRecord, 20),
        (EpochRecord, 1),
        (StepRecord, 20),
        (EpochRecord, 1),
        (Evaluated, 1),
        (Finished, 1),
    ]
    assert [event.step for event in events if isinstance(event, StepRecord)] == list(range(1, 41))
    assert read == []  # digits are arrays: nothing is decoded


def test_reading_is_told_to_its_end(quick: Quick, tmp_path: Path) -> None:
    digits = open_data("digits").train
    for number in range(60):
        path = tmp_path / "photos" / str(digits.labels[number]) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        _png(digits.pixels(np.array([number]))[0, 0], path)
    read: list[tuple[int, int]] = []
    events = fit_events("photos", quick(), reading=lambda *progress: read.append(progress))
    assert isinstance(next(events), DataReady)
    assert read == sorted(read)
    assert read[-1] == (120, 120)  # each is read once, and decoded once


def _png(pixels: np.ndarray, path: Path) -> None:
    from PIL import Image

    Image.fromarray((pixels * 15).astype(np.uint8)).save(path)


def test_the_folder_of_a_run(quick: Quick) -> None:
    run = striate.fit("digits", quick(epochs=2))
    folder = Path(run.run)
    assert {path.name for path in folder.iterdir() if path.name != ".lock"} == {
        *("run.json", "arch.toml", "recipe.toml", "preprocessing.json", "metrics.jsonl"),
        *("checkpoint", "weights.safetensors", "evaluation.safetensors", "report.html"),
        *("confidence.safetensors", "evidence"),
    }
    assert len(list((folder / "checkpoint").iterdir())) == 2
    info = json.loads((folder / "run.json").read_text())
    assert info["state"] == "finished"
    assert info["result"] == {k: v for k, v in run.as_json().items() if k != "striate"}
    recipe = load_recipe(folder / "recipe.toml")
    assert recipe.frozen
    assert (recipe.steps, recipe.setting, recipe.threads) == (40, "fp32", 1)
    assert load_arch(folder / "arch.toml").name == "tiny"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"{run.accuracy:.1%}".replace("%", "") in page
    assert run.report == str(folder / "report.html")


def test_a_run_is_read_back(quick: Quick) -> None:
    run = striate.fit("digits", quick())
    loaded = striate.load(run.run)
    data = open_data("digits")
    assert loaded.result == run
    assert loaded.preprocessing.mean == data.mean
    assert loaded.preprocessing.classes == data.classes
    assert not loaded.module.training
    again = evaluate(loaded.module, data.test, loaded.preprocessing)
    assert again.accuracy == run.accuracy
    kept = load_evaluation(Path(run.run) / "evaluation.safetensors")
    np.testing.assert_allclose(again.probabilities, kept.probabilities, atol=1e-6)
    assert len(kept) == 359


def test_what_is_measured_on_the_test_split_was_chosen_on_another(quick: Quick) -> None:
    events = list(fit_events("digits", quick(epochs=3)))
    epochs = [event for event in events if isinstance(event, EpochRecord)]
    best = max(epochs, key=lambda epoch: (epoch.val_accuracy or 0, -(epoch.val_loss or 0)))
    assert [epoch.epoch for epoch in epochs if epoch.best][-1] == best.epoch
    data = next(event.dataset for event in events if isinstance(event, DataReady))
    ids = [set(split.ids.tolist()) for split in (data.train, data.val, data.test)]
    assert len(set.union(*ids)) == sum(map(len, ids))


def test_the_same_seed_gives_the_same_bits(quick: Quick) -> None:
    runs = [striate.fit("digits", quick(out=Path(name), seed=5)) for name in ("a", "b")]
    other = striate.fit("digits", quick(out=Path("c"), seed=6))
    assert (runs[0].loss, runs[0].ece) == (runs[1].loss, runs[1].ece)
    assert other.loss != runs[0].loss
    weights = [Path(name, "weights.safetensors").read_bytes() for name in "abc"]
    assert weights[0] == weights[1] != weights[2]


def test_loader_processes_change_no_bit(quick: Quick) -> None:
    alone = striate.fit("digits", quick(out=Path("alone")))
    many = striate.fit("digits", quick(out=Path("many"), workers=2))
    assert alone.loss == many.loss
    weights = [Path(name, "weights.safetensors").read_bytes() for name in ("alone", "many")]
    assert weights[0] == weights[1]


# What can be trained


def test_a_network_of_dense_layers(quick: Quick) -> None:
    Path("mlp.toml").write_text(to_toml(zoo("mlp")).replace("width = 1000", "width = 16"))
    run = striate.fit("digits", quick(arch="mlp.toml"))
    recipe = load_recipe(Path("run/recipe.toml"))
    assert recipe.optimiser == "adamw"  # there is no norm
    assert "no batch or group norm" in next(
        " ".join(event.reasons)
        for event in fit_events("digits", quick(arch="mlp.toml", out=Path("again")))
        if isinstance(event, Probing)
    )
    assert np.isfinite(run.loss)


def test_an_architecture_takes_the_size_and_classes_of_the_data(quick: Quick) -> None:
    striate.fit("shapes", quick(image="24x20"))
    arch = load_arch(Path("run/arch.toml"))
    data = open_data("shapes")
    assert arch.image == (3, 24, 20)
    assert arch.classes == len(data.classes)
    loaded = striate.load("run")
    with torch.no_grad():
        assert loaded.module(torch.zeros(2, 3, 24, 20)).shape == (2, len(data.classes))


def test_gray_as_colour(quick: Quick) -> None:
    striate.fit("digits", quick(image="3x8x8"))
    assert load_arch(Path("run/arch.toml")).image == (3, 8, 8)


def test_without_a_validation_split_the_last_weights_are_kept(quick: Quick) -> None:
    events = list(fit_events("digits", quick(epochs=2, val=0.0)))
    epochs = [event for event in events if isinstance(event, EpochRecord)]
    assert [epoch.val_accuracy for epoch in epochs] == [None, None]
    assert "nan" not in Path("run/run.json").read_text().lower()
    assert Path("run/report.html").exists()
    loaded = striate.load("run")
    assert loaded.result is not None
    assert loaded.result.epochs == 2


def test_minutes_are_planned_before_the_first_step(quick: Quick) -> None:
    events = list(fit_events("digits", quick(epochs=None, minutes=0.005)))
    training = next(event for event in events if isinstance(event, Training))
    steps = [event for event in events if isinstance(event, StepRecord)]
    assert training.recipe.steps == len(steps)
    assert training.seconds is not None
    assert training.recipe.minutes == 0.005


def test_the_choice_of_arch_is_told_and_kept(quick: Quick) -> None:
    events = fit_events("digits", quick(arch="auto", minutes=0.001, epochs=None))
    network = next(event for event in events if isinstance(event, NetworkReady))
    assert network.name.startswith("auto-")
    assert network.why is not None
    assert "covers the 8×8 image" in network.why


def test_runs_without_a_name_are_numbered(quick: Quick) -> None:
    names = [striate.fit("digits", quick(out=None)).run for _ in range(2)]
    assert names == ["runs/digits-tiny-1", "runs/digits-tiny-2"]


# What is refused, before anything is read or written


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"minutes": 1.0}, RecipeError, "--epochs 1 and --minutes 1 both set the length"),
        ({"seed": -1}, RecipeError, "options: seed = -1 should be greater than or equal to 0"),
        ({"epochs": 0}, RecipeError, "options: epochs = 0 should be greater than or equal to 1"),
        ({"lr": float("nan")}, RecipeError, "options: lr = nan should be a finite number"),
        ({"device": "cuda"}, InputError, "device cuda: torch sees no CUDA device here"),
        ({"out": Path("tiny.toml")}, OutputError, "tiny.toml: is a file, not a folder"),
        ({"val": 0.9}, DataError, "val 0.9 and test 0.2 leave nothing to train on"),
    ],
)
def test_what_cannot_be(
    quick: Quick, changes: dict[str, object], error: type[Exception], message: str
) -> None:
    if changes.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device, and the test is about one that has none")
    events = fit_events("digits", quick(**changes))
    with pytest.raises(error, match=re.escape(message)):
        next(events)  # not even the images are read
    assert not Path("run").exists()


def test_resuming_asks_for_nothing_else(quick: Quick) -> None:
    with pytest.raises(InputError, match="leave out 'digits', arch, epochs"):
        striate.fit("digits", quick(resume=Path("run")))
    with pytest.raises(InputError, match="leave out seed"):
        striate.fit(options=FitOptions(resume=Path("run"), seed=0))


def test_from_python_it_can_be_resumed(quick: Quick) -> None:
    whole = striate.fit("digits", quick(out=Path("whole"), epochs=2))
    for event in (events := fit_events("digits", quick(epochs=2))):
        if isinstance(event, EpochRecord):
            break
    events.close()  # type: ignore[attr-defined] # a generator, told of as an iterator
    resumed = striate.fit(options=FitOptions(resume=Path("run")))
    assert resumed.loss == whole.loss
    weights = [Path(name, "weights.safetensors").read_bytes() for name in ("whole", "run")]
    assert weights[0] == weights[1]


def test_a_run_of_an_own_network_is_read_back(quick: Quick, tmp_path: Path) -> None:
    Path("mine.py").write_text(
        "from torch import nn\n\n\n"
        "def net():\n"
        "    return nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(10))\n"
    )
    run = striate.fit("digits", quick(arch="mine.py:net"))
    loaded = striate.load("run")
    assert loaded.target is not None
    assert loaded.target.target == f"{tmp_path / 'mine.py'}:net"
    assert loaded.arch is None
    test = open_data("digits").test
    assert evaluate(loaded.module, test, loaded.preprocessing).accuracy == run.accuracy
