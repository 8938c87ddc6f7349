"""One process at a time writes into a run's folder.

POSIX record locks: the kernel drops them when the process dies, however it dies, and loader
processes forked from it do not hold them on (as they would an ``flock``).  They do not exclude
the process that holds them, so the process keeps its own list.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from striate.errors import OutputError, RunError
from striate.runs.atomic import writing

_held: set[Path] = set()


class Lock:
    """Held from construction until ``release``; ``RunError`` where another holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        if self._path in _held:
            raise RunError(
                f"{path.parent}: this process is writing to this run already; wait for it to end, "
                "or choose another --out"
            )
        with writing(path):
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(self._handle)
        except OSError as error:
            holder = os.pread(self._handle, 32, 0).decode() if hasattr(os, "pread") else ""
            os.close(self._handle)
            raise RunError(
                f"{path.parent}: another process{f' ({holder})' if holder else ''} is writing to "
                "this run; wait for it to end, or choose another --out"
            ) from error
        try:
            with writing(path):  # a full disk holds no process id
                os.ftruncate(self._handle, 0)
                os.write(self._handle, str(os.getpid()).encode())
        except OutputError:
            os.close(self._handle)
            raise
        _held.add(self._path)

    def release(self) -> None:
        """Let others write.  Releasing twice is harmless."""
        if self._path in _held:
            _held.discard(self._path)
            os.close(self._handle)


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
