"""A disk that is full: one line, exit 2, no file in halves, and the run goes on once there is room.

The disk is a tmpfs of a few KiB, so it fills for real, at another moment with each size.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from striate.arch import load_arch
from striate.runs import Preprocessing, load_checkpoint, read_metrics
from striate.runs.weights import unpack
from striate.training import load_recipe

Striate = Callable[..., Any]
Mount = Callable[..., str]
FIT = (
    *("fit", "--quiet", "--arch", "tiny.toml", "--threads", "1", "--setting", "fp32"),
    *("--batch", "64"),
    *("--epochs", "2"),
)
KIB = (4, 16, 20, 24, 120, 640)


@pytest.fixture
def disk(tmp_path: Path, mount: Mount) -> Iterator[Callable[[int], Path]]:
    """``disk(kib)``: a disk of that size, or the same disk made that large."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = False

    def sized(kib: int) -> Path:
        nonlocal mounted
        size = f"size={kib}k"
        problem = mount(folder, "remount", size) if mounted else mount(folder, size)
        if problem:
            pytest.skip(f"needs a small tmpfs, and may not mount one ({problem}); run as root")
        mounted = True
        return folder

    yield sized
    if mounted:
        subprocess.run(["umount", folder], check=True)


def assert_whole(run: Path) -> None:
    """Every file under a real name can be read to its end."""
    for path in run.iterdir():
        match path.name:
            case ".lock" | "checkpoint":
                continue
            case "arch.toml":
                load_arch(path)
            case "recipe.toml":
                assert load_recipe(path).frozen
            case "run.json":
                json.loads(path.read_text())
            case "preprocessing.json":
                Preprocessing.from_json(path.read_text())
            case "metrics.jsonl":
                list(read_metrics(path))
            case "weights.safetensors" | "evaluation.safetensors" | "confidence.safetensors":
                assert unpack(path.read_bytes(), where=path)
            case "evidence":
                assert [one for one in path.rglob("*") if one.name.endswith(".part")] == []
            case "report.html":
                assert path.read_text().endswith("</html>\n")
            case other:
                pytest.fail(f"{other} was left")
    for path in (run / "checkpoint").glob("*"):
        load_checkpoint(path)


def test_at_every_stage(striate: Striate, disk: Callable[[int], Path], tmp_path: Path) -> None:
    assert striate(*FIT, "--out", "whole").code == 0
    weights = (tmp_path / "whole" / "weights.safetensors").read_bytes()
    stages: set[str] = set()
    for kib in KIB:
        run = disk(kib) / "run"
        ended = striate(*FIT, "--out", run)
        said = ended.error
        assert "no space left on the device" in said, said
        assert str(run) in said
        if not (run / "run.json").exists():
            stages.add("beginning")
            assert not run.exists(), "what cannot be begun leaves nothing"
            continue
        assert_whole(run)
        assert f"--resume {run} goes on" in said
        assert "choose another --out" not in said
        if kib == KIB[-1]:  # as long as there is no room, it stays so
            again = striate("fit", "--quiet", "--resume", run)
            assert "no space left on the device" in again.error
        stages.add(said.split(": ")[0].removeprefix(f"{run}/").split("/")[0])
        disk(4096)
        assert striate("fit", "--quiet", "--resume", run).code == 0, kib
        assert (run / "weights.safetensors").read_bytes() == weights
        subprocess.run(["rm", "-r", run], check=True)
    assert stages == {"beginning", "metrics.jsonl", "checkpoint", "report.html"}


def test_a_feature_map(striate: Striate, disk: Callable[[int], Path], photos: Path) -> None:
    folder = disk(4)
    (folder / "filler").write_bytes(bytes(4096))
    ended = striate("conv", photos / "cat" / "00.png", "--out", folder / "map.png")
    assert "no space left on the device" in ended.error
    assert not (folder / "map.png").exists()


def test_stdout(striate: Striate) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full, which Linux has")
    ended = striate("zoo", stdout=str(full))
    assert "No space left on device" in ended.error
