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


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock at ``path`` now.  Asks without taking it.

    Only Linux and macOS can be asked so; elsewhere the answer is about this process alone.
    """
    if path.resolve() in _held:
        return True  # and the file is not opened: closing it would drop the lock
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False  # there is none, or it may not be read
    try:
        return _is_held(handle)
    except OSError:
        return False  # a file system without locks: nobody could have taken one
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


if sys.platform == "linux" or sys.platform == "darwin":
    import struct

    def _is_held(handle: int) -> bool:
        # struct flock: (type, whence, start, length, process) on Linux, (start, length, process,
        # type, whence) on macOS; the kernel writes F_UNLCK as the type where nothing is in the way.
        linux = sys.platform == "linux"
        layout = "@hhqqi4x" if linux else "@qqihh"
        asked = (fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0) if linux else (0, 0, 0, fcntl.F_WRLCK, 0)
        answer = fcntl.fcntl(handle, fcntl.F_GETLK, struct.pack(layout, *asked))
        return struct.unpack(layout, answer)[0 if linux else 3] != fcntl.F_UNLCK
else:

    def _is_held(handle: int) -> bool:
        del handle
        return False
