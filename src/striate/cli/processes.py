"""What a command needs to know of the processes it was started with, before torch is loaded."""

from __future__ import annotations

import os


def launched_here() -> bool:
    """Whether ``striate fit --procs`` started this process, and speaks for all of them."""
    return "STRIATE_PROCS" in os.environ


def follower() -> bool:
    """Whether this is one of several processes (``torchrun`` and ``--procs`` set both variables),
    and not the first, which alone speaks to the user.
    """
    return os.environ.get("WORLD_SIZE", "1") != "1" and os.environ.get("RANK", "0") != "0"
