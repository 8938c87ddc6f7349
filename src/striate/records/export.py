"""What an exported file had to pass before it was written."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ExportCheck:
    """One check that was passed.

    ``file``: which of the files.  ``name``: the check.  ``says``: what was found, in a sentence.
    ``measured``, ``limit``: its number and what that may be at most (at least, for a share of
    agreement); None for a check without a number.
    """

    file: str
    name: str
    says: str
    measured: float | None = None
    limit: float | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Exported:
    """Files that passed every check.

    ``files``: paths, the model first.  ``bytes``: of each.  ``accuracy``: of the test split, 0…1,
    by file.  ``folded``, ``left``: batch norms that became part of a convolution, and that did not.
    """

    run: str
    files: tuple[str, ...]
    bytes: tuple[int, ...]
    accuracy: dict[str, float]
    folded: int
    left: int
    checks: tuple[ExportCheck, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "striate": 1,
            "run": self.run,
            "files": [
                {"path": path, "bytes": size}
                for path, size in zip(self.files, self.bytes, strict=True)
            ],
            "accuracy": self.accuracy,
            "norms": {"folded": self.folded, "left": self.left},
            "checks": [check.as_json() for check in self.checks],
        }
