"""A run that was pushed to the hub, as a folder on this machine: ``hub:user/name``.

Its files come through ``fetch``: verified, cached, and of one commit; a later fetch gives the same.
"""

from __future__ import annotations

import re
from pathlib import Path

from striate.errors import InputError
from striate.flow.hub import MissingFileError, Progress, fetch

HUB = "hub:"

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_NEEDED = ("weights.safetensors", "run.json", "arch.toml", "preprocessing.json", "recipe.toml")
_MORE = ("metrics.jsonl", "confidence.safetensors")


def run_folder(run: Path | str, *, progress: Progress | None = None) -> Path:
    """``run`` itself, or, where it is ``hub:user/name``, the folder it was fetched to.

    InputError where the hub has no such run or cannot be reached.
    """
    text = str(run)
    if not text.startswith(HUB):
        return Path(run)
    repo = hub_name(text)
    first = fetch(repo, _NEEDED[0], progress=progress, asked=text)
    folder = first.path.parent
    for name in (*_NEEDED[1:], *_MORE):
        try:
            found = fetch(repo, name, revision=first.revision, asked=text)
        except MissingFileError:
            if name in _NEEDED:
                raise
            continue
        if found.path.parent != folder:
            raise InputError(
                f"{text}: {name} was fetched before, of another commit ({found.revision[:12]}, not "
                f"{first.revision[:12]}); delete its locks in striate's cache and fetch it again"
            )
    return folder


def hub_name(text: str) -> str:
    """``user/name`` of ``hub:user/name``; InputError for anything else."""
    repo = text.removeprefix(HUB)
    if not text.startswith(HUB) or _NAME.fullmatch(repo) is None or "--" in repo or ".." in repo:
        raise InputError(f"{text}: is no place on the hub; write hub:user/name")
    return repo
