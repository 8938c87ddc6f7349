"""Where compiling is tried, what is taken, what is told: on stated measurements, none is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from striate.data import Dataset, open_data
from striate.errors import RecipeError
from striate.flow import compiling, planning
from striate.flow.compiling import (
    LAYER_SECONDS,
    PLAUSIBLE,
    Side,
    expected_seconds,
    found_compiling,
    kinds_to_try,
)
from striate.flow.planning import frozen_for, measured
from striate.records import ProbeResult
from striate.runs import Compile
from striate.training import Probe, Recipe, compiled_share, compiled_sizes

RECIPE = Recipe().with_({"batch_size": 100, "threads": 1, "epochs": 10})
LABELS = torch.arange(8) % 4
FULL = Side(images=torch.zeros(8, 3, 8, 8), share=1.0, plain=100.0)


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 36, 4))


def tried(
    ratio: float,
    seconds: float,
    *,
    agrees: bool = True,
    mode: Compile = "on",
    setting: str = "bf16",
    plain: float = 90.0,
) -> Probe:
    """A trial in which the compiled step was ``ratio`` times as fast as the plain one."""
    row = ProbeResult(
        setting=setting, images_per_second=plain, deviation=0.01, tolerance=0.5, agrees=True,
        chosen=False,
    )  # fmt: skip
    other = replace(
        row,
        images_per_second=plain * ratio,
        compile=mode,
        compile_seconds=seconds,
        agrees=agrees,
        deviation=0.02 if agrees else 0.9,
    )
    return Probe(results=(row, other), measured="2026-01-01T00:00:00Z")


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """``trials(found, …)``: what the trials find, in order; their sizes and kinds are listed."""

    def give(*found: Probe | str) -> list[Any]:
        waiting, asked = list(found), list[Any]()

        def trial(module: nn.Module, images: Any, *_: Any, mode: Compile, **more: Any) -> Any:
            del module, more
            asked.append((tuple(images.shape[2:]), mode))
            return waiting.pop(0)

        monkeypatch.setattr(compiling, "probe_compiled", trial)
        return asked

    return give


def found(
    *sides: Side, kinds: tuple[Compile, ...] = ("on",), recipe: Recipe = RECIPE, images: int = 1000
) -> compiling.Compiling:
    return found_compiling(
        net(), LABELS, recipe, sides or (FULL,), kinds=kinds, setting="bf16", classes=4,
        train_images=images, steps=1000,
    )  # fmt: skip


def test_it_is_tried_only_where_a_plausible_gain_is_more_than_it_takes() -> None:
    least = 2 * LAYER_SECONDS / PLAUSIBLE["cpu"]  # two layers with weights
    assert expected_seconds(net(), 1) == 2 * LAYER_SECONDS
    assert kinds_to_try(RECIPE, net(), seconds=least * 1.01, shapes=1) == ("on",)
    assert kinds_to_try(RECIPE, net(), seconds=least * 0.99, shapes=1) == ()
    assert kinds_to_try(RECIPE, net(), seconds=least * 1.01, shapes=2) == ()
    on_gpu = RECIPE.with_({"device": "cuda:1"})
    assert kinds_to_try(on_gpu, net(), seconds=least, shapes=1) == ("on", "graphs")
    assert kinds_to_try(RECIPE.with_({"compile": "off"}), net(), seconds=1e9, shapes=1) == ()
    assert kinds_to_try(RECIPE.with_({"compile": "on"}), net(), seconds=1.0, shapes=1) == ("on",)


@pytest.mark.parametrize(
    ("changes", "never", "told"),
    [
        ({}, "several train here", "several train here"),
        ({"finetune.rate": 0.1}, None, "layers that are trained later"),
        ({"device": "mps"}, None, "it is made for cpu and cuda, not mps"),
        ({"compile": "graphs"}, None, "CUDA graphs are made on a GPU, and the device is cpu"),
    ],
)
def test_where_it_cannot_be(changes: dict[str, Any], never: str | None, told: str) -> None:
    recipe = RECIPE.with_({"compile": "on", **changes})
    with pytest.raises(RecipeError) as caught:
        kinds_to_try(recipe, net(), seconds=1e9, shapes=1, never=never)
    assert told in str(caught.value)
    assert str(caught.value).endswith("leave it out, or write --set compile=off")
    if recipe.compile == "on":
        auto = recipe.with_({"compile": "auto"})
        assert kinds_to_try(auto, net(), seconds=1e9, shapes=1, never=never) == ()


def test_it_is_taken_where_it_saves_more_than_it_takes(trials: Callable[..., list[Any]]) -> None:
    """1,000 steps of 100 images at 100 a second are 1,000 s; one step in 20 is looked at."""
    trials(tried(1.25, 30.0))
    taken = found()
    (row,) = taken.results
    assert row.chosen
    assert row.images_per_second == pytest.approx(125)  # the plain speed, times the ratio
    assert row.why == "saves 3 min in this run"  # 1,000 · 0.95 · (1 − 1/1.25) = 190 s
    assert taken.seconds == 30
    assert taken.speed == pytest.approx(100_000 / 810)

    trials(tried(1.25, 180.0))  # 190 s is less than 1.1 times that
    left = found()
    assert not left.results[0].chosen
    assert left.results[0].why == "saves 3 min in this run"
    assert (left.seconds, left.speed) == (0.0, None)

    trials(tried(1.02, 30.0))
    assert found().results[0].why == "saves 19 s in this run"
    trials(tried(0.9, 30.0))
    slower = found()
    assert slower.results[0].why == "saves nothing"
    assert slower.speed is None


def test_what_does_not_agree_is_not_taken(trials: Callable[..., list[Any]]) -> None:
    trials(tried(5.0, 1.0, agrees=False))
    (row,) = found().results
    assert not row.agrees
    assert not row.chosen


def test_every_size_of_image_and_of_batch_is_compiled(trials: Callable[..., list[Any]]) -> None:
    small = Side(images=torch.zeros(8, 3, 6, 6), share=0.5, plain=200.0)
    asked = trials(tried(1.25, 10.0), tried(2.0, 7.0))
    both = found(replace(FULL, share=0.5), small, images=1005)  # of 91 and 92 images a batch
    assert asked == [((8, 8), "on"), ((6, 6), "on")]
    assert both.seconds == 2 * (10 + 7)
    full, less = 0.5 / 100, 0.5 / 200
    rest = full * (0.95 / 1.25 + 0.05) + less * (0.95 / 2 + 0.05)
    assert both.speed == pytest.approx(1 / rest)


def test_of_two_kinds_the_one_that_brings_most(trials: Callable[..., list[Any]]) -> None:
    trials(tried(1.5, 30.0), tried(1.6, 40.0, mode="graphs"))
    assert [row.chosen for row in found(kinds=("on", "graphs")).results] == [False, True]
    trials(tried(1.5, 30.0), tried(1.51, 200.0, mode="graphs"))
    assert [row.chosen for row in found(kinds=("on", "graphs")).results] == [True, False]


def test_what_fails_is_told_in_a_line(trials: Callable[..., list[Any]]) -> None:
    asked = trials("no working C++ compiler is found", "odd")
    left = found(kinds=("on", "graphs"))
    assert left.results == ()
    assert left.said == (
        "compiled: not possible here: no working C++ compiler is found",
        "CUDA graphs: not possible here: odd",
    )
    assert len(asked) == 2
    trials("no working C++ compiler is found")
    with pytest.raises(RecipeError) as caught:
        found(recipe=RECIPE.with_({"compile": "on"}))
    assert str(caught.value) == (
        'compile = "on": the network cannot be compiled here: no working C++ compiler is found; '
        "mend that, or leave it out"
    )


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return open_data("digits")


def plain_net() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def test_it_is_frozen_into_the_recipe(trials: Callable[..., list[Any]], digits: Dataset) -> None:
    trials(tried(0.5, 12.0, setting="fp32"))
    wanted = RECIPE.with_({"setting": "fp32", "compile": "on"})
    asked = measured(plain_net(), digits, wanted, budget=0.01)
    frozen, planned = frozen_for(wanted, digits, asked)
    assert frozen.compile == "on"  # as asked, though it brings nothing
    assert frozen.frozen
    assert planned.seconds is not None
    assert planned.seconds > 12
    assert [row.chosen for row in asked.probe.results] == [False, True]
    assert asked.probe.setting == "fp32"


def test_a_short_training_tries_nothing(monkeypatch: pytest.MonkeyPatch, digits: Dataset) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("a short training tried to compile")

    monkeypatch.setattr(compiling, "probe_compiled", never)
    wanted = RECIPE.with_({"setting": "fp32"})
    found = measured(plain_net(), digits, wanted, budget=0.01)
    assert frozen_for(wanted, digits, found)[0].compile == "off"
    assert len(found.probe.results) == 1
    long = wanted.with_({"minutes": 600.0})
    with pytest.raises(AssertionError, match="a short training"):
        measured(plain_net(), digits, long, budget=0.01)
    never_ = measured(plain_net(), digits, long, budget=0.01, uncompiled="several train here")
    assert frozen_for(long, digits, never_)[0].compile == "off"


def test_the_minutes_hold_what_compiling_takes(
    trials: Callable[..., list[Any]], digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each size of batch takes 15 s to compile, and then sees 1.5 times as many images."""
    row = tried(1.0, 0.0).results[0]
    table = Probe(results=(replace(row, chosen=True, images_per_second=100.0),), measured="now")
    monkeypatch.setattr(planning, "probe", lambda *_, **__: table)
    wanted = RECIPE.with_({"minutes": 10.0, "compile": "off"})
    plain = frozen_for(wanted, digits, measured(plain_net(), digits, wanted))[1]
    trials(tried(1.5, 15.0))
    asked = wanted.with_({"compile": "on"})
    compiled = frozen_for(asked, digits, measured(plain_net(), digits, asked))[1]
    sizes = compiled_sizes(len(digits.train), wanted.batch_size)
    share = compiled_share(len(digits.train), wanted.batch_size, plain.steps)
    faster = 1 / (share / 1.5 + 1 - share)  # the other steps are no faster
    brought = (570 - 15 * len(sizes)) / 570 * faster
    assert compiled.steps / plain.steps == pytest.approx(brought, rel=0.01)
