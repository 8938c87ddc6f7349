"""Which modules are the user's own, and which of them a TARGET's module draws in."""

from __future__ import annotations

import ast
import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

_OURS = str(Path(__file__).parents[1]) + os.sep
_DYNAMIC = ("import_module", "__import__", "exec", "spec_from_file_location")
"""Names by which a module draws in others that its import statements do not say."""


@cache
def library_folders() -> tuple[str, ...]:
    """Where Python and the installed packages lie, each with a slash behind it."""
    paths = sysconfig.get_paths()
    folders = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders |= {*site.getsitepackages(), site.getusersitepackages()}
    return tuple(sorted(os.path.realpath(folder) + os.sep for folder in folders))


@cache
def is_library(file: str) -> bool:
    """Whether a file belongs to Python, to an installed package or to striate."""
    real = os.path.realpath(file)
    parts = Path(real).parts
    return (
        real.startswith((*library_folders(), _OURS))
        or "site-packages" in parts
        or "dist-packages" in parts
        or file.startswith("<")
    )


def users_modules() -> dict[str, Path]:
    """The user's modules that are imported now, by name, with their files."""
    found: dict[str, Path] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and name != "__main__" and not is_library(file):
            found[name] = Path(file)
    return found


def drawn_in(name: str) -> set[Path]:
    """The files of the user's that the module ``name`` needs, its own among them.

    By the import statements of each, wherever they stand.  Where a module imports by other means,
    every module of the user's that is imported counts.
    """
    users = users_modules()
    found: set[str] = set()
    waiting = [name]
    while waiting:
        here = waiting.pop()
        if here in found or here not in users:
            continue
        found.add(here)
        source = users[here].read_bytes() if users[here].suffix == ".py" else b""
        if any(word.encode() in source for word in _DYNAMIC):
            return set(users.values())
        waiting += _imports(source, sys.modules[here])
        waiting += _parents(here)
    return {users[one] for one in found}


def _imports(source: bytes, module: ModuleType) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
                yield from _parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            start = node.module or ""
            if node.level:
                package = (module.__package__ or "").split(".")
                package = package[: len(package) - node.level + 1]
                start = ".".join([*package, *([node.module] if node.module else [])])
            yield start
            yield from _parents(start)
            yield from (f"{start}.{alias.name}" for alias in node.names)


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name
