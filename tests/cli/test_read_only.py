"""Where nothing can be written: one line, exit 2, nothing left.  Root may write where permissions
forbid it, so the place is a disk mounted read-only, or one below a file.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Striate = Callable[..., Any]
Mount = Callable[..., str]
FIT = ("fit", "digits", "--arch", "tiny.toml", "--threads", "1", "--setting", "fp32")


@pytest.fixture
def disk(tmp_path: Path, finished: Path, mount: Mount) -> Iterator[Path]:
    """``disk``: read-only, with a run in it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    problem = mount(folder, "size=4m")
    if problem:
        pytest.skip(f"needs a small tmpfs, and may not mount one ({problem}); run as root")
    shutil.copytree(finished, folder / "run")
    assert not mount(folder, "remount", "ro")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.usefixtures("disk", "photos")
@pytest.mark.parametrize(
    ("words", "place"),
    [
        ((*FIT, "--epochs", "1", "--out", "disk/new"), "disk/new"),
        (("export", "disk/run"), "disk/run/export"),
        (("see", "disk/run"), "disk/run"),
        (("trace", "resnet20", "--format", "html", "--out", "disk/page.html"), "disk/page.html"),
        (("trace", "resnet20", "--format", "csv", "--out", "disk/rows.csv"), "disk/rows.csv"),
        (("code", "resnet20", "--out", "disk/net.py"), "disk/net.py"),
        (("predict", "disk/run", "photos/cat/00.png", "--out", "disk/said.csv"), "disk/said.csv"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_read_only_disk(striate: Striate, words: tuple[str, ...], place: str) -> None:
    ended = striate(*words)
    assert ended.error.startswith(place)
    assert "writing is not permitted; change its permissions, or" in ended.error
    assert ended.left == set()


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (("export", "run", "--out", "tiny.toml/files"), "tiny.toml"),
        (("trace", "resnet20", "--format", "html", "--out", "tiny.toml/page.html"), "tiny.toml"),
        (("code", "resnet20", "--out", "tiny.toml/net.py"), "tiny.toml"),
        (("predict", "run", "photos/cat/00.png", "--out", "tiny.toml/said.csv"), "tiny.toml"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_place_below_a_file(
    striate: Striate,
    finished: Path,
    photos: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    place: str,
) -> None:
    del photos
    shutil.copytree(finished, tmp_path / "run")
    ended = striate(*words)
    assert place in ended.error
    assert ended.left == set()
