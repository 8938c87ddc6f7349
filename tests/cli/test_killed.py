"""kill -9 during ``striate fit``, then ``--resume``: the weights of the run that was left alone.

The run is planned by ``--minutes``, with dropout, Mixup, CutMix and shifts; its frozen recipe is
kept for the runs that are killed, since another measurement of speed would plan other steps.  What
holds at every single step is proved at the level of the loop, in ``tests/training/test_resume.py``.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from striate.training import Recipe, load_recipe

Striate = Callable[..., Any]

RECIPE = """\
label_smoothing = 0.1
ema = 0.9
clip = 1.0

[augment]
flip = true
translate = 1
cutout = 2

[mix]
mixup = 0.4
cutmix = 1.0
"""
RESUME = ("fit", "--quiet", "--resume", "run")
KILL = signal.SIGKILL


@pytest.fixture(scope="module")
def made() -> dict[str, Path]:
    """The run that was left alone, made once."""
    return {}


@pytest.fixture
def whole(
    striate: Striate,
    made: dict[str, Path],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    if not made:
        (tmp_path / "recipe.toml").write_text(RECIPE)
        made["whole"] = tmp_path_factory.mktemp("made") / "whole"
        ended = striate(
            *("fit", "digits", "--minutes", "0.02", "--arch", "tiny.toml", "--seed", "3"),
            *("--recipe", "recipe.toml", "--threads", "1", "--out", made["whole"]),
        )
        assert ended.code == 0, ended.err
        (tmp_path / "recipe.toml").unlink()
    return made["whole"]


def planned_anew(whole: Path, run: Path, *, workers: int) -> Recipe:
    """A copy of ``whole`` as it was before step 1; returns its recipe."""
    run.mkdir()
    for name in ("arch.toml", "preprocessing.json"):
        shutil.copy(whole / name, run / name)
    recipe = (whole / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(recipe.replace("workers = 0", f"workers = {workers}"))
    info = json.loads((whole / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**info, "state": "training", "result": None}))
    return load_recipe(run / "recipe.toml")


def bits(run: Path) -> dict[str, Any]:
    """What must be the same: weights, test predictions, and metrics but for times."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {
        "weights": (run / "weights.safetensors").read_bytes(),
        "evaluation": (run / "evaluation.safetensors").read_bytes(),
        "metrics": [{k: v for k, v in line.items() if "second" not in k} for line in lines],
        "files": sorted(path.name for path in run.iterdir()),
    }


def test_the_run_is_what_it_is_meant_to_be(whole: Path) -> None:
    recipe = (whole / "recipe.toml").read_text()
    for line in ("minutes = 0.02", "flip = true", "cutout = 2", "mixup = 0.4", "workers = 0"):
        assert line in recipe
    assert "dropout = 0.3" in (whole / "arch.toml").read_text()


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_anywhere(striate: Striate, tmp_path: Path, whole: Path, workers: int) -> None:
    run = tmp_path / "run"
    recipe = planned_anew(whole, run, workers=workers)
    assert recipe.workers == workers
    assert recipe.steps is not None  # how many is a matter of the machine
    for place in (
        {"at": "training", "step": max(1, recipe.steps // 8)},
        {"at": "training", "step": max(1, recipe.steps // 2)},
        {"at": "training", "step": -recipe.epochs},  # as the last epoch ends
        {"at": "evaluating"},
        {"at": "reporting"},
    ):
        ended = striate(*RESUME, stop={**place, "signal": KILL})
        assert ended.code == -KILL, (place, ended.err)
        assert not (run / "report.html").exists()
    assert striate(*RESUME).code == 0
    assert bits(run) == bits(whole)


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_from_outside_at_random(
    striate: Striate, tmp_path: Path, whole: Path, workers: int
) -> None:
    """At no place that the program knows of: in a step, a write, a rename, as the cores have it."""
    run, rng = tmp_path / "run", random.Random(workers)
    planned_anew(whole, run, workers=workers)
    length = (whole / "metrics.jsonl").stat().st_size
    for at in sorted(rng.uniform(0.02, 0.95) for _ in range(3)):
        moment = {"bytes": round(at * length), "seconds": rng.uniform(0, 0.05), "signal": KILL}
        ended = striate(*RESUME, stop={"once": "run/metrics.jsonl", **moment})
        assert ended.code == -KILL, (moment, ended.err)
        assert not (run / "report.html").exists()
    assert striate(*RESUME).code == 0
    assert bits(run) == bits(whole)


def test_killed_while_it_is_begun(striate: Striate, tmp_path: Path) -> None:
    begin = ("fit", "--arch", "tiny.toml", "--epochs", "1", "--quiet", "--out", "run")
    ended = striate(*begin, stop={"at": "beginning", "signal": KILL})
    assert ended.code == -KILL
    assert "run/run.json" not in ended.left
    assert striate(*RESUME).error.startswith("run: not a run's folder (it has no run.json)")
    assert "exists and is not empty; empty it" in striate(*begin).error


def test_probing_again_plans_from_the_remembered_speed(striate: Striate, tmp_path: Path) -> None:
    # The speed is measured once a machine and job, so that the same command plans the same steps.
    fit = ("fit", "--quiet", "--arch", "tiny.toml", "--threads", "1", "--minutes", "0.005")
    assert striate(*fit, "--out", "first").code == 0
    assert striate(*fit, "--out", "second").code == 0
    weights = [(tmp_path / run / "weights.safetensors").read_bytes() for run in ("first", "second")]
    assert weights[0] == weights[1]
