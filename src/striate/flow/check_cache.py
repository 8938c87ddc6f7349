"""Results of the linter, remembered by the content of what they came from.

A result holds for the TARGET, how it was checked, every source file of the user's that its import
drew in, the other files that were read on the way, the packages that are installed, Python's
version, the working directory, and striate itself.  Files above 16 MiB count by size and time.
What else a network may depend on (the clock,
an environment variable, the network) is not seen: ``--no-cache``.

Looking something up loads neither torch nor the user's code.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, cast

from striate._version import __version__
from striate.arch import zoo_names
from striate.caches import cache_folder
from striate.errors import OutputError
from striate.flow.check_sources import drawn_in, is_library, library_folders
from striate.flow.check_types import Asked, Checked
from striate.flow.targets import module_of
from striate.records import Edit, Finding, Price

_MOST = 2000
"""Results that are kept."""
_LARGE = 1 << 24
"""Bytes above which a file (weights, most likely) is known by its size and time instead."""
_SOURCE_ENDINGS = (".py", ".pyc", ".so", ".pyd", ".part")


def recall(target: str, asked: Asked) -> Checked | None:
    """The remembered result; None where there is none, or one of its files is another now."""
    try:
        plain: dict[str, Any] = json.loads(_file(target, asked).read_text(encoding="utf-8"))
        for name, digest in plain["files"].items():
            if _digest(Path(name)) != digest:
                return None
        return _checked(plain["checked"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it is only a memory: checked again, and written anew


def remember(checked: Checked, asked: Asked, opened: Iterable[Path]) -> None:
    """Keep a result; where the folder cannot be written, it is not kept."""
    sources = _sources(checked.target)
    if sources is None or checked.error is not None:
        return
    from striate.runs.atomic import atomic_write  # loads torch, which the check has loaded

    try:
        files = {str(file.resolve()): _digest(file) for file in {*sources, *opened}}
        plain = {"files": files, "checked": asdict(checked)}
        file = _file(checked.target, asked)
        file.parent.mkdir(parents=True, exist_ok=True)
        _tidy(file.parent)
        atomic_write(file, json.dumps(plain, allow_nan=False).encode())
    except (OSError, OutputError, ValueError, TypeError):
        return  # a home that is read-only is no reason to stop


def _sources(target: str) -> set[Path] | None:
    """Files that ``target`` is made of; None for a kind of TARGET whose files are not known."""
    if target in zoo_names() or target.startswith(("timm/", "torchvision/")):
        return set()
    if target.endswith(".toml"):
        return {Path(target)}
    module = module_of(target)
    return None if module is None else drawn_in(module)


@contextmanager
def noting_opened() -> Generator[set[Path]]:
    """While open, files that are read and are no program are noted: what a network is made from."""
    found: set[Path] = set()
    names: set[str] = set()
    _hook()
    _listeners.append(names)
    try:
        yield found
    finally:
        _listeners.remove(names)
        found |= {
            Path(name)
            for name in names
            if not is_library(name) and Path(name).is_file() and not _is_special(name)
        }


_listeners: list[set[str]] = []


@cache
def _hook() -> None:
    """Python tells every opening of a file to a hook, which can never be taken away again."""

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and _listeners:
            name, mode, flags = arguments
            reads = (flags & os.O_ACCMODE) == os.O_RDONLY if mode is None else "r" in mode
            if isinstance(name, str) and reads and not name.endswith(_SOURCE_ENDINGS):
                for names in _listeners:
                    names.add(name)

    sys.addaudithook(heard)


def _is_special(name: str) -> bool:
    real = os.path.realpath(name)
    own = str(cache_folder("check"))
    return real.startswith(("/proc/", "/sys/", "/dev/", own))


def _checked(plain: dict[str, Any]) -> Checked:
    return Checked(
        target=plain["target"],
        image=tuple(plain["image"]),
        findings=tuple(map(_finding, plain["findings"])),
        unknown=tuple(plain["unknown"]),
        files=tuple(plain["files"]),
        lines=tuple(plain["lines"]),
    )


def _finding(plain: dict[str, Any]) -> Finding:
    price = Price(**plain.pop("price"))
    edits = tuple(
        Edit(path=edit["path"], argument=edit["argument"], value=_value(edit["value"]))
        for edit in plain.pop("edits")
    )
    return Finding(**plain, price=price, edits=edits)


def _value(value: Any) -> Any:
    return tuple(cast("list[int]", value)) if isinstance(value, list) else value


def _file(target: str, asked: Asked) -> Path:
    facts = (target, repr(asked), str(Path.cwd()), os.environ.get("PYTHONPATH", ""), _installed())
    return cache_folder("check") / f"{_hash(repr(facts).encode())}.json"


@cache
def _installed() -> str:
    """A digest of Python, the packages that are installed, by their versions, and striate."""
    facts: list[str] = [sys.version, sys.prefix, __version__]
    for folder in map(Path, library_folders()):
        if folder.is_dir():
            facts += sorted(entry.name for entry in folder.glob("*-info"))
    for file in sorted(Path(__file__).parents[1].rglob("*.py")):
        told = file.stat()
        facts.append(f"{file} {told.st_size} {told.st_mtime_ns}")
    return _hash("\n".join(facts).encode())


def _digest(file: Path) -> str:
    told = file.stat()
    if told.st_size > _LARGE:
        return f"{told.st_size} bytes of {told.st_mtime_ns}"
    return _hash(file.read_bytes())


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _tidy(folder: Path) -> None:
    """Drop the older half where there are too many."""
    files = list(folder.glob("*.json"))
    if len(files) > _MOST:
        files.sort(key=lambda file: file.stat().st_mtime)
        for file in files[: len(files) // 2]:
            file.unlink(missing_ok=True)
