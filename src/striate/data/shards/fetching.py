"""Where chunk files are: in a folder here, or fetched into the user's cache by litdata."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from striate.caches import cache_folder
from striate.errors import DataError

REMOTE = ("s3://", "gs://", "azure://", "r2://", "hf://", "local:")
"""What litdata fetches from; ``local:`` is a folder that is treated as if it were far."""

_WAIT_SECONDS = 600.0


def is_remote(spec: str) -> bool:
    """Whether ``spec`` names a place that files are fetched from."""
    return spec.startswith(REMOTE)


@dataclass(frozen=True, kw_only=True)
class Place:
    """``url``: None for a folder here.  ``folder``: where the files are, or are fetched to, and
    then at most about ``most_bytes`` of them stay.
    """

    url: str | None
    folder: Path
    most_bytes: int

    def path(self, file: str, size: int | None = None) -> Path:
        """``file`` (``train/chunk-0-3.bin``), here; DataError where it cannot be had whole."""
        path = self.folder / file
        if self.url is not None:
            if path.exists():
                _touch(path)
            else:
                self._make_room(size or 0)
                fetch(f"{self.url.rstrip('/')}/{file}", path)
        try:
            found = path.stat().st_size
        except OSError as error:
            raise DataError(
                f"{self.name}/{file} cannot be read ({error.strerror}); restore it, or write the "
                "shards again"
            ) from error
        if size is not None and found != size:
            if self.url is not None:
                path.unlink(missing_ok=True)  # the next look fetches it anew
            raise DataError(
                f"{self.name}/{file} has {found} bytes and was written with {size}; restore it, or "
                "write the shards again"
            )
        return path

    def open(self, file: str, size: int) -> BinaryIO:
        """``file``, open for reading and not buffered."""
        while True:
            path = self.path(file, size)
            try:
                return path.open("rb", buffering=0)
            except FileNotFoundError:
                continue  # another process let go of it meanwhile

    @property
    def name(self) -> str:
        return self.url or str(self.folder)

    def _make_room(self, size: int) -> None:
        """Let go of what was looked at longest ago.  Who has it open keeps it (POSIX)."""
        held = [(path, path.stat()) for path in self.folder.rglob("*.bin") if path.exists()]
        total = sum(stat.st_size for _, stat in held) + size
        for path, stat in sorted(held, key=lambda one: one[1].st_mtime):
            if total <= self.most_bytes:
                return
            path.unlink(missing_ok=True)
            total -= stat.st_size


def fetch(url: str, path: Path) -> None:
    """One file by litdata's downloader, whole or not at all; several processes may ask at once."""
    try:
        from litdata.streaming import downloader as litdatas
    except ImportError as error:
        raise DataError(
            f"{url} is fetched by litdata, which is not installed; pip install 'striate[stream]'"
        ) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    downloader: Any = cast("Any", litdatas).get_downloader(
        url.rsplit("/", 1)[0], str(path.parent), []
    )
    until = time.monotonic() + _WAIT_SECONDS
    while not path.exists():
        try:
            downloader.download_file(url, str(path))
        except Exception as error:  # the store's client raises what it likes
            said = " ".join(str(error).split())
            raise DataError(
                f"{url} cannot be fetched ({said}); check the address and your credentials"
            ) from error
        if not path.exists():  # another process has the lock, and is fetching it
            if time.monotonic() > until:
                raise DataError(f"{url} did not arrive within {_WAIT_SECONDS:.0f} s; try again")
            time.sleep(0.05)


def cached(url: str, digest: str) -> Path:
    """The folder of the user's cache for a set of shards; another content is another folder."""
    name = hashlib.blake2b(f"{url} {digest}".encode(), digest_size=8).hexdigest()
    return cache_folder("shards") / name


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:
        return  # let go of meanwhile: the next look fetches it
