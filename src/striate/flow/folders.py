"""Where a run lies: a folder that is free, made whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from striate.runs import RunFolder, RunPaths
from striate.runs.atomic import refuse_unwritable


def refuse_used(out: Path) -> None:
    """Say that ``--out`` is taken, or cannot be made, before the images are read."""
    refuse_unwritable(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        RunFolder.create(out).close()


def fresh_folder(data: str, network: str) -> Path:
    """``runs/DATA-NETWORK-1``, or the next number that is free."""
    stem = "".join(c if c.isalnum() or c in "-_." else "-" for c in f"{data}-{network}")
    number = 1
    while (path := Path("runs") / f"{stem}-{number}").exists():
        number += 1
    return path


def begun_folder(out: Path, begin: Callable[[RunFolder], None]) -> RunFolder:
    """The new run's folder, begun; where that fails (disk full, Ctrl-C) nothing is left of it."""
    made = [path for path in (out, *out.parents) if not path.exists()]
    folder = None
    try:
        folder = RunFolder.create(out)
        begin(folder)
    except BaseException:
        if folder is not None:
            folder.close()
            if not folder.paths.info.exists():  # it was empty, so what lies in it is ours
                for path in out.iterdir():
                    path.unlink()
        for path in made:
            with suppress(OSError):  # others may have begun to use it
                path.rmdir()
        raise
    return folder


def clear_unbegun(folder: Path) -> None:
    """Take away what a process left that was killed while it wrote a run's first files."""
    paths = RunPaths(folder)
    firsts = {paths.start, paths.arch, paths.target, paths.preprocessing, paths.recipe, paths.lock}
    found = set(folder.iterdir()) if folder.is_dir() else set[Path]()
    if not found or any(path not in firsts and path.suffix != ".part" for path in found):
        return
    with RunFolder(folder):
        for path in found - {paths.lock}:
            path.unlink(missing_ok=True)
    paths.lock.unlink(missing_ok=True)
