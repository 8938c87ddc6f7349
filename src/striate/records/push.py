"""What a run puts on the hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """The files of one commit.

    ``repo``: ``user/name``.  ``files``: (name in the repository, bytes), the card first.
    ``private``: whether a new repository is to be.  ``url``: of the commit; None for a dry run.
    ``removed``: files of an earlier push that this run has not.
    """

    run: str
    repo: str
    private: bool
    files: tuple[tuple[str, int], ...]
    removed: tuple[str, ...] = ()
    url: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "striate": 1,
            "run": self.run,
            "repo": self.repo,
            "private": self.private,
            "files": [{"path": name, "bytes": size} for name, size in self.files],
            "removed": list(self.removed),
            "url": self.url,
        }
