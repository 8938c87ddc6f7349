"""What a command needs to know of the processes it was started with, before torch is loaded."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from striate.flow.slurm import torch_names


def launched_here() -> bool:
    """Whether ``striate fit --procs`` started this process, and speaks for all of them."""
    return "STRIATE_PROCS" in os.environ


def take_place() -> None:
    """Where ``srun`` started this process as one of several, tell torch so, as torchrun would.

    InputError for what Slurm would not say of it.
    """
    os.environ.update(torch_names(os.environ))


def one_of_several() -> bool:
    """Whether other processes run the same command with this one: ``torchrun``, ``--procs``, and
    ``srun`` once the process has taken its place.
    """
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


def follower() -> bool:
    """Whether this is one of several processes, but not the first, which alone is heard."""
    return one_of_several() and os.environ["RANK"] != "0"


def leave(code: int) -> NoReturn:
    """End now: taking down what is between processes would wait for one that may have gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
