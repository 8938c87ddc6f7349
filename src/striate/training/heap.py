"""Memory that a step frees stays with the process, so that the next step need not ask for it again.

glibc gives every large block back to the system as soon as it is freed, and the system hands out
fresh pages one by one, each filled with zeros first: a training step that allocates gigabytes of
activations spends a third of its time there (docs/decisions/0029-memory-is-kept.md).  Other C
libraries have no such switch, and are left as they are.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Generator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # <malloc.h>
_NEVER = 2**31 - 1
_USUAL = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}
"""What glibc comes to by itself in a process that frees large blocks (mallopt(3))."""


@contextmanager
def kept_heap(device: str) -> Generator[None]:
    """Inside, what is freed is kept for the next allocation; afterwards it goes to the system.

    ``device``: where the network runs; on another than the CPU nothing is changed.
    """
    library = ctypes.CDLL(None) if device == "cpu" and _is_glibc() else None
    if library is None:
        yield
        return
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        for option, value in _USUAL.items():
            library.mallopt(option, value)
        library.malloc_trim(0)


def _is_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"
