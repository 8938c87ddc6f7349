"""Files appear whole or not at all: temporary name, write, fsync, rename, fsync of the folder.

What goes wrong with the disk is said in one line that names the place and the mend.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from striate.errors import OutputError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


def output_error(place: Path, error: OSError) -> OutputError:
    """The one line that says why ``place`` could not be written, and what to do about it."""
    if error.errno in _FULL:
        return OutputError(
            f"{place}: no space left on the device; free some there, or choose another --out"
        )
    if error.errno in _DENIED:
        return OutputError(
            f"{place}: writing is not permitted; change its permissions, or choose another --out"
        )
    return OutputError(f"{place}: cannot be written ({error.strerror}); choose another --out")


def refuse_unwritable(place: Path) -> None:
    """OutputError, before any work is done, where ``place`` cannot be made or written into."""
    whole = place.absolute()
    above = next(path for path in (whole, *whole.parents) if path.exists())
    if above != whole and not above.is_dir():
        raise OutputError(f"{place}: {above} is a file, not a folder; choose another --out")
    if not os.access(above, os.W_OK):
        raise output_error(place, PermissionError(errno.EACCES, "not permitted"))


@contextmanager
def writing(place: Path) -> Generator[None]:
    """Turn an ``OSError`` from writing to ``place`` into an ``OutputError``."""
    try:
        yield
    except OSError as error:
        raise output_error(place, error) from error


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` durable (POSIX only: Windows cannot open a folder)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def atomic_write(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old file or the new one, never a part.

    Raises ``OutputError`` (disk full, no permission …) with the temporary file removed and the
    old file, where there was one, untouched.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with writing(path):
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
