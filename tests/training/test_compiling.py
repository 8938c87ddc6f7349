"""Compiled steps: which they are, that bits do not depend on the process, what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from striate.errors import RecipeError
from striate.training import Probe, Recipe, compiled_share, compiled_sizes, probe_compiled, train
from striate.training.compiling import Compiled, brief, why_not
from striate.training.watching import Watch

IMAGES = torch.linspace(-1, 1, 8 * 48).reshape(8, 3, 4, 4).sin()
LABELS = torch.arange(8) % 4
RECIPE = Recipe().with_({"threads": 1})


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    from torch._inductor import config

    folder = tmp_path_factory.mktemp("inductor")
    with pytest.MonkeyPatch.context() as patch, config.patch(compile_threads=1):
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(folder))
        yield


def measured(module: nn.Module, **more: Any) -> Probe | str:
    """A linear network's trial: its products are the library's, so little is compiled."""
    return probe_compiled(
        module, IMAGES, LABELS, RECIPE, setting="fp32", mode="on", classes=4, budget=0.01, **more
    )


def net() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(48, 4))


@pytest.mark.parametrize(
    ("images", "batch"), [(50_000, 128), (300, 64), (302, 64), (301, 64), (5, 8)]
)
def test_the_sizes_that_are_compiled_are_those_of_an_epoch(images: int, batch: int) -> None:
    made = [len(part) for part in np.array_split(np.arange(images), -(-images // batch))]
    shares = {size: made.count(size) / len(made) for size in set(made)}
    wanted = {size: share for size, share in shares.items() if share >= 0.25}
    assert compiled_sizes(images, batch) == pytest.approx(wanted)


def test_the_share_that_is_compiled_is_counted_step_by_step() -> None:
    steps = 12 * 391
    compiled = Compiled(net(), "on", sizes=compiled_sizes(50_000, 128), steps=steps)
    sizes = [len(part) for part in np.array_split(np.arange(50_000), 391)] * 12
    taken = [compiled.takes(size, step) for step, size in enumerate(sizes, start=1)]
    assert sum(taken) / steps == pytest.approx(compiled_share(50_000, 128, steps), abs=0.002)
    module = net()
    watch = Watch(module, steps)
    for step in (1, 2, 93, 186, 187):
        with watch.looking(step):
            module(IMAGES).sum().backward()
        looked = watch.seen(1, step) is not None
        assert taken[step - 1] is not looked  # hooks are heard in steps that run as they are
    assert not any(Compiled(net(), "off", sizes={60: 1.0}, steps=9).takes(60, s) for s in range(9))


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    root = tmp_path_factory.mktemp("compiled")
    driver = Path(__file__).with_name("compiling_driver.py")
    done = subprocess.run(
        [sys.executable, str(driver), str(root)],
        env={
            **os.environ,
            "TORCHINDUCTOR_CACHE_DIR": str(root / "cache"),
            "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no processes of the compiler's own
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_compiled_runs_end_with_the_same_bits(trainings: dict[str, dict[str, Any]]) -> None:
    """Compiled anew or out of the cache, with 0, 1 or 2 workers, killed in between or not."""
    first = trainings["cold"]
    for name in ("warm", "killed"):
        assert trainings[name]["weights"] == first["weights"], name
        assert trainings[name]["metrics"] == first["metrics"], name


def test_a_shape_is_compiled_once(trainings: dict[str, dict[str, Any]]) -> None:
    """The common size of batch alone."""
    graphs = {name: found["graphs"] for name, found in trainings.items()}
    assert graphs == {"off": 0, "cold": 1, "warm": 1, "killed": 1}
    assert {found["compile"] for found in trainings.values()} == {"off", "on"}


def test_compiled_steps_agree_with_those_that_are_not(
    trainings: dict[str, dict[str, Any]],
) -> None:
    plain, compiled = trainings["off"]["losses"], trainings["cold"]["losses"]
    assert compiled[0] == plain[0]  # it is looked at, so it runs as it is
    assert compiled == pytest.approx(plain, rel=1e-3)
    assert trainings["off"]["weights"] != trainings["cold"]["weights"]  # it was compiled


def test_a_trial_is_measured_and_remembered() -> None:
    module = net()
    found = measured(module)
    assert isinstance(found, Probe)
    plain, compiled = found.results
    assert (plain.compile, compiled.compile) == ("off", "on")
    assert (plain.name, compiled.name) == ("fp32", "fp32, compiled")
    assert plain.compile_seconds is None
    assert compiled.compile_seconds is not None
    assert compiled.compile_seconds > 0
    assert compiled.deviation < 1e-5
    assert compiled.agrees
    again = measured(module)
    assert isinstance(again, Probe)
    assert again.remembered
    assert again.results == found.results
    assert all(parameter.grad is None for parameter in module.parameters())


class Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.sum().item() > 0 else x


class Counts(nn.Module):
    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.calls


def test_what_cannot_be_compiled_whole_is_left_as_it_is() -> None:
    module = net()
    module.insert(1, Branches())
    said = measured(module)
    assert isinstance(said, str)
    assert "\n" not in said
    assert measured(module) == said  # nothing is remembered of it


def test_what_would_be_compiled_at_every_step_is_left_as_it_is() -> None:
    module = net()
    module.insert(1, Counts())
    assert measured(module) == (
        "it would be compiled anew at every step (something in it changes from step to step)"
    )


@pytest.fixture
def no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from torch._inductor import config

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    with config.patch({"cpp.cxx": (None, "no-such-compiler")}):
        yield


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_the_probe_says_so(net: nn.Module) -> None:
    images = torch.zeros(8, 1, 8, 8)
    found = probe_compiled(
        net, images, torch.arange(8), RECIPE, setting="fp32", mode="on", classes=10
    )
    assert found == "no working C++ compiler is found (install g++ or clang)"


@pytest.mark.usefixtures("no_compiler")
def test_a_compiled_run_does_not_go_on_without_a_compiler(
    begun: Callable[..., tuple[Any, Any]], net: nn.Module, digits: Any
) -> None:
    recipe, folder = begun()
    recipe = recipe.with_({"compile": "on"})
    with folder, pytest.raises(RecipeError) as caught:
        list(train(net, digits, recipe, folder))
    assert str(caught.value) == (
        'compile = "on" belongs to this run, and its network cannot be compiled here: no working '
        "C++ compiler is found (install g++ or clang); mend that, or begin a new run with --set "
        "compile=off (this one cannot go on uncompiled: its bits would be others)"
    )
    kept = (folder.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in kept] == ["health", "step"]  # it runs as it is


def test_where_torch_has_no_compiler_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError("Dynamo is not supported on Python 3.99.")

    monkeypatch.setattr(torch, "compile", refuse)
    assert measured(net(), fresh=True) == "Dynamo is not supported on Python 3.99"
    with pytest.raises(RecipeError, match=r"cannot be compiled here: Dynamo is not supported on"):
        Compiled(net(), "on", sizes={60: 1.0}, steps=9)


def test_a_run_of_several_processes_is_not_compiled() -> None:
    recipe = RECIPE.with_({"compile": "on"})
    with pytest.raises(RecipeError, match='compile = "on" is of a run in one process, and 2 are'):
        Compiled.of(net(), recipe, images=300, steps=9, processes=2)


def test_a_run_from_before_the_key_is_not_compiled() -> None:
    compiled = Compiled.of(net(), RECIPE, images=300, steps=9, processes=2)
    assert RECIPE.compile == "auto"
    assert not compiled.takes(60, 2)


def test_the_users_own_errors_are_not_the_compilers() -> None:
    assert why_not(RuntimeError("shapes do not fit\nat all")) is None
    assert brief(RuntimeError("backend='inductor' raised:\nOdd: this.\n\nSet X=1")) == "Odd: this"
