"""How much memory and disk there is for pixels, where the user names no bound."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

RAM_SHARE = 4
"""Decoded pixels take a quarter of the memory that is available, at most."""
DISK_SHARE = 2
"""The mapped cache takes half of the disk that is free, at most."""

_UNKNOWN = 16 << 30  # memory of a system that does not say how much it has


def ram_room() -> int:
    """Bytes of RAM for decoded pixels: a share of what is available, containers' limits counted."""
    return available_memory() // RAM_SHARE


def disk_room(folder: Path) -> int:
    """Bytes that may be written to ``folder``, which need not exist: a share of what is free."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    try:
        return shutil.disk_usage(place).free // DISK_SHARE
    except OSError:
        return 0


def available_memory(root: Path = Path("/")) -> int:
    """Bytes that can be had without swapping, where the system says; else its physical memory."""
    found = [*_meminfo(root), *_cgroup_two(root), *_cgroup_one(root)]
    if found:
        return max(0, min(found))
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN


def _meminfo(root: Path) -> Iterator[int]:
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def _cgroup_two(root: Path) -> Iterator[int]:
    """What each group over this process leaves, files that the kernel may drop not counted."""
    own = next(
        (line[3:] for line in _text(root / "proc/self/cgroup").splitlines() if line[:3] == "0::"),
        None,
    )
    if own is None:
        return
    top = root / "sys/fs/cgroup"
    group = top / own.strip("/")
    while True:
        most = _text(group / "memory.max").strip()
        used = _text(group / "memory.current").strip()
        if most.isdigit() and used.isdigit():
            yield int(most) - int(used) + _dropped(group / "memory.stat", "inactive_file")
        if group == top:
            return
        group = group.parent


def _cgroup_one(root: Path) -> Iterator[int]:
    group = root / "sys/fs/cgroup/memory"
    most = _text(group / "memory.limit_in_bytes").strip()
    used = _text(group / "memory.usage_in_bytes").strip()
    if most.isdigit() and used.isdigit() and int(most) < 1 << 60:
        yield int(most) - int(used) + _dropped(group / "memory.stat", "total_inactive_file")


def _dropped(path: Path, key: str) -> int:
    for line in _text(path).splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
