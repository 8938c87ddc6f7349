"""What every generator shares: write a file, or with ``--check`` say whether it is up to date."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def finish(files: Mapping[Path, str], *, folders: tuple[Path, ...] = ()) -> int:
    """Write ``files``, or compare them with what is there when ``--check`` was given.

    A file in one of ``folders`` (which hold nothing but generated files) that is no longer made is
    taken away, or reported.  Returns the exit code: 1 when something is out of date.
    """
    check = "--check" in sys.argv[1:]
    unknown = [argument for argument in sys.argv[1:] if argument != "--check"]
    if unknown:
        print(f"unknown argument {unknown[0]}; the only one is --check", file=sys.stderr)
        return 2
    left = {
        path
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
        if path.is_file() and path not in files
    }
    stale = [
        path
        for path, text in files.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if check:
        for path in sorted([*stale, *left]):
            print(f"{path.relative_to(ROOT)} is out of date; run make generate", file=sys.stderr)
        return 1 if stale or left else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    for path in left:
        path.unlink()
        print(f"took {path.relative_to(ROOT)} away")
    return 0
