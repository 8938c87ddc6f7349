"""``striate data``: its table, its document, its exit codes, its wrong inputs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Striate = Callable[..., Any]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of twenty small photographs; a test image is a training image's copy."""
    rng = np.random.default_rng(0)
    for number in range(40):
        coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        side, name = "test" if number % 20 > 15 else "train", "cat" if number < 20 else "dog"
        folder = tmp_path / "photos" / side / name
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize((20, 24)).save(folder / f"{number:02}.png")
    shutil.copy(folder.parents[1] / "train/cat/03.png", folder.parents[1] / "test/cat/x.png")
    return tmp_path / "photos"


def test_a_leak_is_named_and_can_fail(striate: Striate, photos: Path) -> None:
    ended = striate("data", photos, "--val", "0", env={"COLUMNS": "80"})
    assert ended.code == 0
    assert "train: train/cat/03.png = test: test/cat/x.png the same bytes" in ended.out
    assert "1 of 9 test images (11.1%) have a copy in train" in " ".join(ended.out.split())
    assert max(map(len, ended.out.splitlines())) <= 80
    assert ended.left == frozenset()
    assert striate("data", photos, "--fail-on", "leak").code == 1
    assert striate("data", photos, "--fail-on", "bad", "--fail-on", "any").code == 1
    assert striate("data", photos, "--fail-on", "bad", "--fail-on", "conflict").code == 0


def test_the_document(striate: Striate, photos: Path) -> None:
    ended = striate("data", photos, "--json", "--val", "0", "--fail-on", "leak")
    assert ended.code == 1
    found = json.loads(ended.out)
    assert next(iter(found)) == "striate"
    assert found["striate"] == 1
    assert found["images"] == 41
    assert found["splits"][0]["per_class"] == {"cat": 16, "dog": 16}
    assert found["balance"] == {"rarest": "cat", "commonest": "cat", "ratio": 1.0}
    assert found["faults"]["leak"] == 1
    assert found["copies"]["named"][0]["images"][1] == {
        "path": "test/cat/x.png", "split": "test", "label": "cat",
    }  # fmt: skip
    assert found["formats"] == {"PNG": 41}
    assert "test/cat/x.png" in ended.err


def test_quiet_says_nothing(striate: Striate, photos: Path) -> None:
    ended = striate("data", photos, "--quiet", "--fail-on", "leak")
    assert (ended.code, ended.out, ended.err) == (1, "", "")


def test_built_in_data(striate: Striate) -> None:
    ended = striate("data", "digits", "--exact")
    assert ended.code == 0
    assert "1,797 images · 10 classes" in ended.out
    assert "nothing wrong was found" in ended.out


def test_names_that_are_no_utf8_or_break_lines(striate: Striate, photos: Path) -> None:
    odd = [os.fsencode(photos / "train/dog") + name for name in (b"/caf\xe9.png", b"/a\nb.png")]
    try:
        for path in odd:
            Path(os.fsdecode(path)).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes no such names; run on one that does")
    ended = striate("data", photos)
    assert "train/dog/caf\\xe9.png is no image" in ended.out
    assert "train/dog/a\\nb.png is no image" in ended.out
    found = json.loads(striate("data", photos, "--json").out)
    assert [one["path"] for one in found["bad"]] == ["train/dog/a\nb.png", "train/dog/caf\\xe9.png"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ([], "Missing argument 'DATA'"),
        (["nowhere"], "DATA 'nowhere' is neither built in nor a folder or file here"),
        (["digit"], "did you mean digits"),
        (["digits", "--fail-on", "leaks"], "--fail-on leaks: no such fault; did you mean leak"),
        (["digits", "--named", "-1"], "--named -1: must be at least "),
        (["digits", "--image", "0x8"], "--image 0x8: every number must be at least 1"),
        (["digits", "--val", "2"], "val 2.0 and test 0.2 leave nothing to train on"),
        (["digits", "--group", "("], "group '(' is no regular expression"),
        (["tiny.toml"], "tiny.toml is no data set; give a folder with a folder per class"),
        (["digits", "--fit", "squash"], "'squash' is not one of 'crop', 'pad', 'stretch'"),
    ],
)
def test_wrong_inputs(striate: Striate, options: list[str], error: str) -> None:
    assert error in striate("data", *options).error
