"""A search's folder: what was asked, the base, and one run for each training.

search.json    what was asked; with it, the folder is a search and can be gone on with
base.toml      the network that α, β and γ are found for
trials/        a run for each network and seed, named by the network's digest
result.json    what came of it
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from striate.arch import Arch, to_toml
from striate.errors import OutputError, RunError
from striate.runs.atomic import atomic_write, writing
from striate.runs.lock import Lock

FORMAT = 1
_FIRSTS = ("lock", "base.toml")


@contextmanager
def search_folder(
    folder: Path,
    base: Arch,
    asked: Mapping[str, Any],
    decide: Callable[[], Mapping[str, Any]],
) -> Generator[Mapping[str, Any]]:
    """The folder, made or gone on with, and locked while it is open; gives what was decided.

    OutputError where it holds something else or another search; RunError where it is in use.
    """
    place = folder / "search.json"
    with writing(folder):
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder}: is a file, not a folder; choose another --out")
        known = place.exists()
        found = {path.name for path in folder.iterdir()} if folder.exists() else set[str]()
        # what a search leaves that was killed before its first file was whole
        if not known and any(not name.endswith((".part", *_FIRSTS)) for name in found):
            raise OutputError(f"{folder}: holds something else than a search; choose another --out")
        folder.mkdir(parents=True, exist_ok=True)
    lock = Lock(folder / "lock")
    try:
        if known:
            decided = _kept(place, asked)
        else:
            decided = decide()
            atomic_write(folder / "base.toml", to_toml(base).encode())
            document = {"search": FORMAT, **asked, "decided": decided}
            atomic_write(place, json.dumps(document, indent=2, ensure_ascii=False).encode())
        yield decided
    finally:
        lock.release()


def _kept(place: Path, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was decided then; OutputError where something else was asked."""
    try:
        kept: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        number, decided = kept.pop("search"), dict(kept.pop("decided"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{place}: broken ({error}); choose another --out") from None
    if number != FORMAT:
        raise RunError(
            f"{place}: is of format {number}, and {FORMAT} is read; choose another --out"
        )
    wanted = json.loads(json.dumps(asked))
    for key, value in wanted.items():
        if kept.get(key) != value:
            said = f"{key} = {kept.get(key)}, and now {value} is asked for"
            if key == "base":
                said = "another base network"
            raise OutputError(f"{place.parent}: holds a search with {said}; choose another --out")
    return decided
