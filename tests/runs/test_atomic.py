"""Files that appear whole or not at all, and the words for a disk that will not take them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from striate.errors import OutputError
from striate.runs import atomic_write


def test_the_content_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic_write(path, b"one")
    atomic_write(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space left on the device; free some there, or choose another --out"),
        (errno.EDQUOT, "no space left on the device; free some there, or choose another --out"),
        (errno.EACCES, "not permitted; change its permissions, or choose another --out"),
        (errno.EROFS, "not permitted; change its permissions, or choose another --out"),
        (errno.EIO, "cannot be written (Input/output error); choose another --out"),
    ],
)
@pytest.mark.parametrize("call", ["fsync", "open"])
def test_a_failing_disk_is_one_line_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str, call: str
) -> None:
    path = tmp_path / "file"
    atomic_write(path, b"old")

    def failing(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    if call == "fsync":
        monkeypatch.setattr(os, "fsync", failing)
    else:
        monkeypatch.setattr(Path, "open", failing)
    with pytest.raises(OutputError) as raised:
        atomic_write(path, b"new")
    monkeypatch.undo()
    assert str(raised.value).startswith(f"{path}: ")
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_real_full_device() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full (Linux)")
    from striate.runs.atomic import writing

    with pytest.raises(OutputError, match="no space left"), writing(full), full.open("wb", 0) as f:
        f.write(b"x")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot be written \(No such file or directory\)"):
        atomic_write(tmp_path / "none" / "file", b"")
