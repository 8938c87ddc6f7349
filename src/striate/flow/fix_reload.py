"""The user's modules imported anew, from other bytes than their files hold."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from striate.flow.check_sources import is_library


@contextmanager
def imported_anew(
    known: frozenset[str], instead: Mapping[Path, bytes]
) -> Generator[dict[Path, bytes]]:
    """While open, modules that are not ``known`` are imported again, library ones apart.

    ``instead``: what stands in a file, by its resolved path, where that is not what is on disk.
    Yields what was read of each source file of the user's.  Bytecode is neither read nor written.
    Afterwards the modules are what they were before.
    """
    read: dict[Path, bytes] = {}
    loader: Any = SourceFileLoader
    get_data, path_stats = loader.get_data, loader.path_stats

    def reading(self: Any, path: str) -> bytes:
        if not path.endswith(".py") or is_library(path):
            return get_data(self, path)
        place = Path(os.path.realpath(path))
        read[place] = instead[place] if place in instead else get_data(self, path)
        return read[place]

    def looking(self: Any, path: str) -> Mapping[str, Any]:
        if not is_library(path):
            raise OSError  # bytecode is of another text; without the file's time there is none
        return path_stats(self, path)

    before = forgotten(known)
    importlib.invalidate_caches()
    loader.get_data, loader.path_stats = reading, looking
    try:
        yield read
    finally:
        loader.get_data, loader.path_stats = get_data, path_stats
        forgotten(known)
        sys.modules.update(before)


def forgotten(known: frozenset[str]) -> dict[str, Any]:
    """Take the user's modules that are not ``known`` out of ``sys.modules``; gives them back."""
    names = [
        name
        for name, module in list(sys.modules.items())
        if name not in known
        and (file := getattr(module, "__file__", None)) is not None
        and not is_library(file)
    ]
    return {name: sys.modules.pop(name) for name in names}
