"""``--resume``: what it refuses, what it survives, and that nothing asked for is passed over."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from striate.runs import RunFolder

Striate = Callable[..., Any]
FIT = (
    *("fit", "--quiet", "--arch", "tiny.toml", "--threads", "1", "--setting", "fp32"),
    *("--batch", "64"),
    *("--epochs", "3", "--out", "run"),
)
RESUME = ("fit", "--quiet", "--resume", "run")


@pytest.fixture(scope="module")
def kept() -> dict[str, Path]:
    """Runs that tests copy, made once."""
    return {}


@pytest.fixture
def stopped(
    striate: Striate,
    kept: dict[str, Path],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A run that was stopped in its third epoch: checkpoints after steps 40 and 46."""
    if not kept:
        ended = striate(*FIT, stop={"at": "training", "signal": signal.SIGINT, "step": 45})
        assert ended.code == 130
        kept["run"] = tmp_path_factory.mktemp("kept") / "run"
        shutil.copytree(tmp_path / "run", kept["run"])
        shutil.rmtree(tmp_path / "run")
        assert striate(*FIT, "--out", kept["run"].parent / "whole").code == 0
    shutil.copytree(kept["run"], tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def whole(stopped: Path, kept: dict[str, Path]) -> bytes:
    """The weights of the run that was never stopped."""
    return (kept["run"].parent / "whole" / "weights.safetensors").read_bytes()


def newest(run: Path) -> Path:
    return run / "checkpoint" / "step-000000046.safetensors"


def before(run: Path) -> Path:
    return run / "checkpoint" / "step-000000040.safetensors"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


# What is refused


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["digits"], "digits"),
        (["--epochs", "5"], "--epochs"),
        (["--seed", "0"], "--seed"),  # the same as it was, and still not heeded
        (["--no-flip"], "--flip"),
        (["--out", "elsewhere"], "--out"),
        (["--fit", "crop"], "--fit"),
        (["shapes", "--workers", "2", "--minutes", "1"], "shapes, --minutes, --workers"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_nothing_else_may_be_asked_for(
    striate: Striate, tmp_path: Path, more: list[str], named: str
) -> None:
    ended = striate(*RESUME, *more)
    assert ended.error == (
        f"--resume run: the run goes on with its own data, network and settings; leave out {named}"
    )
    assert ended.left == set()


def test_a_folder_that_is_no_run(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    ended = striate(*RESUME)
    assert ended.error == (
        "run: not a run's folder (it has no run.json); name the folder that striate fit wrote"
    )
    assert ended.left == set()


def test_a_run_that_another_process_writes_to(striate: Striate, stopped: Path) -> None:
    with RunFolder.open(stopped):
        error = striate(*RESUME).error
    assert error.startswith("run: another process (")
    assert "is writing to this run; wait for it to end" in error


@pytest.mark.parametrize("damage", [cut, flip, empty])
def test_two_broken_checkpoints(
    striate: Striate, stopped: Path, damage: Callable[[Path], None], whole: bytes
) -> None:
    damage(newest(stopped))
    damage(before(stopped))
    error = striate(*RESUME).error
    assert "step-000000046.safetensors and step-000000040.safetensors are broken" in error
    assert error.endswith("delete that folder and --resume to train again from step 1")
    shutil.rmtree(stopped / "checkpoint")
    assert striate(*RESUME).code == 0
    assert (stopped / "weights.safetensors").read_bytes() == whole


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("run.json", "{", "run/run.json: broken"),
        ("run.json", '{"format": 99}', "run/run.json: format 99 is newer than this striate's"),
        ("recipe.toml", "seed = 'x'", "run/recipe.toml: seed = 'x' should be a valid integer"),
        ("recipe.toml", None, "run/recipe.toml: cannot be read (No such file or directory)"),
        ("recipe.toml", "", "run/recipe.toml: lacks what was decided before step 1"),
        ("arch.toml", "name = 3", "run/arch.toml"),
        ("arch.toml", None, "run/target.json: cannot be read (No such file or directory)"),
        ("metrics.jsonl", "", "run/metrics.jsonl: holds 0 bytes where the checkpoint counts"),
    ],
)
def test_a_broken_file(
    striate: Striate, stopped: Path, name: str, text: str | None, error: str
) -> None:
    if text is None:
        (stopped / name).unlink()
    else:
        (stopped / name).write_text(text)
    assert error in striate(*RESUME).error


def test_options_of_the_data_that_are_broken(striate: Striate, stopped: Path) -> None:
    info = json.loads((stopped / "run.json").read_text())
    del info["data"]["options"]["image"]
    (stopped / "run.json").write_text(json.dumps(info))
    assert "run/run.json: broken (KeyError: 'image'); restore it" in striate(*RESUME).error


@pytest.mark.parametrize("change", ["one more image", "another label", "gone"])
def test_changed_data(striate: Striate, photos: Path, change: str) -> None:
    stop = {"at": "training", "signal": signal.SIGINT, "step": 3}
    assert striate(*FIT, "photos", "--batch", "8", stop=stop).code == 130
    picture = photos / "cat" / "00.png"
    if change == "one more image":
        (photos / "dog" / "00.png").write_bytes(picture.read_bytes())
    elif change == "another label":
        picture.rename(photos / "dog" / "00.png")
    else:
        shutil.rmtree(photos)
    error = striate(*RESUME).error
    if change == "gone":
        assert str(photos) in error
    else:
        assert error.startswith("run: was started on other data (fingerprint ")
        assert "give it the same images, or start anew with another --out" in error


# What is survived


@pytest.mark.parametrize("damage", [cut, flip, empty])
def test_one_broken_checkpoint_is_passed_over_and_named(
    striate: Striate, stopped: Path, damage: Callable[[Path], None], whole: bytes
) -> None:
    damage(newest(stopped))
    ended = striate(*RESUME)
    assert ended.code == 0
    assert ended.err.startswith("note: run/checkpoint/step-000000046.safetensors: ")
    assert ended.err.endswith("; the checkpoint before it is used\n")
    assert (stopped / "weights.safetensors").read_bytes() == whole


def test_from_another_working_directory_and_another_place(
    striate: Striate, photos: Path, tmp_path: Path
) -> None:
    stop = {"at": "training", "signal": signal.SIGINT, "step": 3}
    assert striate(*FIT, "photos", "--batch", "8", stop=stop).code == 130
    (tmp_path / "moved").mkdir()
    (tmp_path / "run").rename(tmp_path / "moved" / "run")
    ended = striate("fit", "--resume", "moved/run", "--json", "--quiet")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["report"] == "moved/run/report.html"


def test_a_finished_run_says_so(striate: Striate, stopped: Path) -> None:
    first = striate(*RESUME, "--json")
    files = {path: path.stat().st_mtime_ns for path in stopped.rglob("*") if path.name != ".lock"}
    again = striate(*RESUME, "--json")
    assert again.code == 0
    assert again.err == "note: run: is finished already; nothing is left to do\n"
    assert again.out == first.out
    assert files == {
        path: path.stat().st_mtime_ns for path in stopped.rglob("*") if path.name != ".lock"
    }
    stopped.rename(stopped.with_name("elsewhere"))
    moved = striate("fit", "--resume", "elsewhere", "--json")
    assert json.loads(moved.out)["run"] == "elsewhere"
    assert json.loads(moved.out)["report"] == "elsewhere/report.html"
