"""When the next checkpoint within an epoch is due."""

from __future__ import annotations

import time


class Every:
    """Due when ``seconds`` have passed since it was made or ``again`` was called; None: never.

    The clock decides when a checkpoint is written, never what the training computes.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._since = time.monotonic()

    def due(self) -> bool:
        """Whether the time is over."""
        return self._seconds is not None and time.monotonic() - self._since >= self._seconds

    def again(self) -> None:
        """Count from now on."""
        self._since = time.monotonic()
