"""The probe: what it chooses, what it refuses, what it remembers, and that it leaves no trace."""

from __future__ import annotations

import copy
import itertools
import json
import os
import random
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from striate.caches import cache_folder
from striate.records import ProbeResult
from striate.runs import SETTINGS, Setting
from striate.training import Probe, Recipe, memo, probe
from striate.training.memo import recall, remember, signature
from striate.training.probe import MARGIN, TOLERANCE, StepTimes, choose, in_turns

IMAGES = torch.linspace(-1, 1, 8 * 3 * 8 * 8).reshape(8, 3, 8, 8).sin()
LABELS = torch.arange(8) % 4
RECIPE = Recipe().with_({"threads": 1})


def net() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
        )  # fmt: skip


def measure(module: nn.Module, recipe: Recipe = RECIPE, *, fresh: bool = False) -> Probe:
    return probe(module, IMAGES, LABELS, recipe, classes=4, fresh=fresh, budget=0.05)


def test_every_setting_is_measured_and_one_is_chosen() -> None:
    found = measure(net())
    assert [result.setting for result in found.results] == list(SETTINGS)
    assert sum(result.chosen for result in found.results) == 1
    assert found.setting == found.chosen.setting
    for result in found.results:
        assert result.images_per_second > 0
        assert result.agrees == (result.deviation <= result.tolerance)
        assert result.tolerance == TOLERANCE
    deviations = {result.setting: result.deviation for result in found.results}
    assert deviations["fp32"] == 0
    assert deviations["fp32-channels-last"] < 1e-5
    assert 0 < deviations["bf16"] < 0.1  # rounded to 8 bits: neither equal nor far
    assert found.nondeterministic is None


def test_nothing_is_left_changed() -> None:
    module = net().eval()
    before = copy.deepcopy(module.state_dict())
    state = (random.getstate(), torch.get_rng_state(), torch.get_num_threads())
    measure(module)
    assert not module.training
    assert all(torch.equal(before[n], t) for n, t in module.state_dict().items())
    assert all(p.grad is None for p in module.parameters())
    assert module[0].weight.is_contiguous()
    assert random.getstate() == state[0]
    assert torch.equal(torch.get_rng_state(), state[1])
    assert torch.get_num_threads() == state[2]
    assert not torch.are_deterministic_algorithms_enabled()


class Cancels(nn.Module):
    """Adds and takes away a large number: fp32 keeps 13 bits of the rest, bfloat16 none."""

    def forward(self, x: Tensor) -> Tensor:
        return (x + 1000.0) - 1000.0


def test_a_setting_that_does_not_agree_is_refused() -> None:
    module = net()
    module.insert(1, Cancels())
    found = {result.setting: result for result in measure(module).results}
    assert found["fp32-channels-last"].agrees
    for setting in ("bf16", "bf16-channels-last"):
        assert not found[setting].agrees
        assert not found[setting].chosen


def test_a_setting_that_gives_nan_is_refused() -> None:
    class Infinite(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * (float("nan") if x.dtype == torch.bfloat16 else 1.0)

    module = net()
    module.insert(1, Infinite())
    found = {result.setting: result for result in measure(module).results}
    assert found["bf16"].deviation == float("inf")
    assert not found["bf16"].agrees


def test_the_choice() -> None:
    close = dict.fromkeys(SETTINGS, 0.0)
    assert choose(dict(zip(SETTINGS, (100, 105, 100, 109), strict=True)), close) == "fp32"
    assert choose(dict(zip(SETTINGS, (100, 100 * MARGIN, 90, 90), strict=True)), close) == (
        "fp32-channels-last"
    )
    assert choose(dict(zip(SETTINGS, (100, 200, 400, 300), strict=True)), close) == "bf16"
    far = {**close, "bf16": 0.6, "bf16-channels-last": float("inf")}
    fast = dict(zip(SETTINGS, (100, 200, 400, 500), strict=True))
    assert choose(fast, far) == "fp32-channels-last"
    assert choose({"bf16": 10.0}, {"bf16": 0.9}) == "bf16"  # asked for by name


def test_one_slow_step_is_no_proof() -> None:
    """Durations are given, none is measured: a stall of the machine hits bf16's first two steps."""
    taken: list[str] = []

    def step(setting: Setting) -> float:
        taken.append(setting)
        if setting == "bf16":
            return 9.0 if taken.count("bf16") <= 3 else 0.5
        return {"fp32": 1.0, "fp32-channels-last": 0.9}.get(setting, 7.0)

    times = in_turns(step, SETTINGS, budget=60.0)
    assert times["bf16"][:4] == [9.0, 9.0, 0.5, 0.5]
    assert times["bf16-channels-last"] == [7.0] * 3  # never faster: given up after three
    assert taken[:8] == [*SETTINGS, *SETTINGS]
    spent = sum(map(sum, times.values()))
    assert 60 - 2.5 < spent <= 60


def test_few_turns_where_steps_are_long_and_many_where_they_are_short() -> None:
    assert len(in_turns(lambda _: 5.0, SETTINGS, budget=6.0)["fp32"]) == 3
    assert len(in_turns(lambda _: 0.001, SETTINGS, budget=6.0)["fp32"]) == 30


def test_the_optimisers_part_does_not_grow_with_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Durations are given: passes of 8 images, the optimiser's part; the first do not count."""
    parts = [(9.0, 9.0), (1.0, 2.0), (3.0, 2.0), (2.0, 5.0)]
    clock = itertools.accumulate([t for passes, own in parts for t in (0.0, passes, own)])
    monkeypatch.setattr(
        import_module("striate.training.probe"),
        "time",
        SimpleNamespace(perf_counter=lambda: next(clock)),
    )
    weight = nn.Parameter(torch.zeros(()))
    times = StepTimes[str](8, 32, "cpu")
    for passes, own in parts:
        took = times.take("fp32", lambda: weight * 1, torch.optim.SGD([weight], lr=0.1))
        assert took == passes + own
    # Of 32 images: 4 + 2, 12 + 2 and 8 + 5 seconds.
    assert times.images_per_second("fp32") == 32 / 13


def test_the_second_time_it_remembers() -> None:
    first = measure(net())
    assert not first.remembered
    again = measure(net())
    assert again.remembered
    assert (again.results, again.measured) == (first.results, first.measured)
    assert not measure(net(), fresh=True).remembered


def test_another_job_is_another_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(module: nn.Module, recipe: Recipe = RECIPE, threads: int = 1, size: int = 8) -> str:
        shape = (size, 3, 8, 8)
        return signature(module, shape, recipe, threads=threads, candidates=SETTINGS)

    wider = nn.Sequential(nn.Conv2d(3, 9, 3))
    known = {key(net()), key(wider), key(net(), threads=2), key(net(), size=9)}
    known.add(key(net(), RECIPE.with_({"optimiser": "adamw"})))
    monkeypatch.setattr(memo, "processor", lambda: "another")
    known.add(key(net()))
    assert len(known) == 6
    monkeypatch.undo()
    assert key(net(), RECIPE.with_({"lr": 0.7, "seed": 9})) == key(net())


def test_where_it_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "own"))
    assert cache_folder("probe") == tmp_path / "own" / "probe"
    monkeypatch.delenv("STRIATE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder("probe") == tmp_path / "xdg" / "striate" / "probe"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("probe") == tmp_path / ".cache" / "striate" / "probe"


def test_a_broken_or_unwritable_memo_is_no_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = ProbeResult(
        setting="fp32", images_per_second=1.0, deviation=0.0, tolerance=0.0, agrees=True,
        chosen=True,
    )  # fmt: skip
    found = Probe(results=(result,), measured="2026-01-01T00:00:00Z")
    remember("key", found)
    back = recall("key")
    assert back is not None
    assert (back.results, back.remembered) == (found.results, True)
    file = cache_folder("probe") / "key.json"
    for text in ("{", "[]", json.dumps({"results": [{"speed": 1}], "measured": ""})):
        file.write_text(text)
        assert recall("key") is None
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "file"))
    remember("key", found)
    assert recall("key") is None
    assert os.path.isfile(tmp_path / "file")  # noqa: PTH113 # untouched


def test_an_operation_without_deterministic_form_is_named() -> None:
    class Uneven(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if torch.are_deterministic_algorithms_enabled():
                raise RuntimeError("op_x does not have a deterministic implementation. Do this.")
            return x

    module = net()
    module.insert(1, Uneven())
    found = measure(module)
    assert found.nondeterministic == "op_x does not have a deterministic implementation"
    assert measure(module, RECIPE.with_({"deterministic": False})).nondeterministic is None
