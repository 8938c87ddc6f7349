"""How a long command is asked to stop: Ctrl-C, or a signal that means the same."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def terminated_as_interrupted() -> Generator[None]:
    """SIGTERM (what a cluster sends) ends the program as Ctrl-C does, by the same road."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def stopped(folder: Path | None) -> str:
    """What a stopped training left, and how it goes on."""
    if folder is None:
        return "stopped before training began; nothing was written"
    return f"stopped; what was done is kept, and --resume {folder} goes on"
