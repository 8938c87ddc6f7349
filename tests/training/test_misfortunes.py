"""What goes wrong around a training, each with its outcome: files, clocks, folders."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from striate.data import DataOptions, Dataset, open_data
from striate.errors import DataError, ImageError, RunError
from striate.records import StepRecord
from striate.runs import RunFolder
from striate.training import Recipe, begin_run, freeze, plan, train

Begun = Callable[..., tuple[Recipe, RunFolder]]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Ten classes of twelve images of noise, 8x8."""
    for number in range(120):
        path = tmp_path / "pictures" / f"class{number % 10}" / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    return tmp_path / "pictures"


def opened(root: Path) -> Dataset:
    """Nothing is kept: every look at an image reads its file."""
    return open_data(str(root), DataOptions(cache_bytes=0, disk_bytes=0))


def a_run(net: nn.Module, data: Dataset, wanted: Recipe, out: Path) -> tuple[Recipe, RunFolder]:
    from striate.arch import Arch, Head, Stage, Stem

    recipe = wanted.with_({"batch_size": 16, "epochs": 2})
    sizes = {"train_images": len(data.train), "val_images": len(data.val)}
    timed = plan(recipe, **sizes, images_per_second=1000.0)
    frozen = freeze(recipe, timed, setting="fp32", decoder=data.decoder)
    folder = RunFolder.create(out)
    arch = Arch(
        name="tiny", image=(1, 8, 8), classes=10, stem=Stem(width=4),
        stages=(Stage(block="basic", depth=1, width=8, stride=2),), head=Head(dropout=0.1),
    )  # fmt: skip
    begin_run(folder, arch, data, frozen, data={"spec": "pictures"})
    return frozen, folder


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("how", ["gone", "cut"])
def test_an_image_that_goes_bad_in_the_middle_of_an_epoch(
    net: nn.Module, wanted: Recipe, pictures: Path, tmp_path: Path, how: str, workers: int
) -> None:
    """It was read at the start; now it is not there, or is half of what it was."""
    wanted = wanted.with_({"workers": workers})
    whole = copy.deepcopy(net)
    list(train(whole, opened(pictures), *a_run(net, opened(pictures), wanted, tmp_path / "whole")))

    data = opened(pictures)
    recipe, folder = a_run(net, data, wanted, tmp_path / "run")
    path = pictures / data.train.paths(np.arange(len(data.train)))[5]  # the second epoch needs it
    kept = path.read_bytes()

    def follow() -> None:
        for record in train(copy.deepcopy(net), data, recipe, folder):
            if isinstance(record, StepRecord) and record.step == 6:
                path.unlink() if how == "gone" else path.write_bytes(kept[: len(kept) // 2])

    with pytest.raises(ImageError) as raised:
        follow()
    message = str(raised.value)
    assert message.startswith(f"{path} ")
    assert message.endswith(
        f"; the state is saved: bring it back as it was, and --resume {folder.path} goes on"
    )
    assert "\n" not in message
    with pytest.raises((DataError, RunError)):
        list(train(copy.deepcopy(net), opened(pictures), recipe, folder, resume=True))
    path.write_bytes(kept)
    again = copy.deepcopy(net)
    rest = list(train(again, opened(pictures), recipe, folder, resume=True))
    first = next(record.step for record in rest if isinstance(record, StepRecord))
    assert first > 6  # the steps of the epoch before it were kept
    for name, tensor in whole.state_dict().items():
        assert tensor.equal(again.state_dict()[name]), name


def test_a_clock_that_jumps(
    net: nn.Module, digits: Dataset, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour back, then years ahead, at every look: nothing is decided by the time of day."""
    whole = copy.deepcopy(net)
    list(train(whole, digits, *begun()))
    now, jumps = time.time(), iter(range(1_000_000))
    monkeypatch.setattr(time, "time", lambda: now + (-3600 if next(jumps) % 2 else 10**9))
    recipe, folder = begun()
    records = list(train(net, digits, recipe, folder))
    for name, tensor in whole.state_dict().items():
        assert tensor.equal(net.state_dict()[name]), name
    assert all(record.seconds > 0 for record in records if isinstance(record, StepRecord))


def test_files_of_another_time_are_found_by_their_step(
    net: nn.Module, digits: Dataset, begun: Begun
) -> None:
    """The newest checkpoint is the one of the last step, whatever its file's date says."""
    recipe, folder = begun()
    list(train(copy.deepcopy(net), digits, recipe, folder))
    (folder.paths.checkpoints / "step-000000015.safetensors").unlink()
    os.utime(folder.paths.checkpoints / "step-000000010.safetensors", (0, 0))
    rest = list(train(net, digits, recipe, folder, resume=True))
    assert [r.step for r in rest if isinstance(r, StepRecord)] == list(range(11, 16))
