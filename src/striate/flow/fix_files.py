"""Files as a mend leaves them: shown as a diff, written whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from striate.errors import OutputError


@dataclass(frozen=True, kw_only=True)
class Patch:
    """What a file holds and what it would hold.

    ``before``: what the mend was made of.  ``new``: the file is not there yet, and must not be.
    """

    file: Path
    before: bytes
    after: bytes
    new: bool = False

    @property
    def diff(self) -> str:
        """The unified diff, three lines around each change."""
        old, new = (text.decode(errors="replace") for text in (self.before, self.after))
        name = shown(self.file)
        lines = unified_diff(_lines(old), _lines(new), name, name)
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").splitlines(keepends=True)


def write_patches(patches: Sequence[Patch]) -> None:
    """Write every file, or none.  OutputError for one that was changed meanwhile.

    A file keeps its permissions; a link stays one, and what it points to is written.
    """
    from striate.runs.atomic import atomic_write, writing  # loads torch

    for patch in patches:
        if patch.new:
            if patch.file.exists():
                raise OutputError(f"{shown(patch.file)}: exists already; choose another --out")
            continue
        with writing(patch.file):
            same = patch.file.read_bytes() == patch.before
        if not same:
            raise OutputError(f"{shown(patch.file)}: was changed meanwhile; run it again")
    written: list[Patch] = []
    try:
        for patch in patches:
            file = patch.file.resolve()
            mode = None if patch.new else file.stat().st_mode
            atomic_write(file, patch.after)
            written.append(patch)
            if mode is not None:
                file.chmod(mode)
    except BaseException:
        for patch in written:
            if patch.new:
                patch.file.unlink()
            else:
                atomic_write(patch.file.resolve(), patch.before)
        raise


def shown(file: Path) -> str:
    """A file's name as a user reads it: from the working directory where it lies below it."""
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)
