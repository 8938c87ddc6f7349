"""Finding the other processes of a training, and waiting for each other before it begins.

Whoever starts the processes (``striate fit --procs``, ``torchrun``, ``flow.slurm`` for ``srun``)
sets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT, as torch's own ``env://`` reads
them.  What takes as long as it takes (reading the data, measuring the settings) is waited for by
looking at a word in the store now and then: a process that waits so hears a signal at once, and
runs into no time limit.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous  # pyright: ignore[reportUnknownVariableType] # its **kwargs

from striate.errors import InputError
from striate.training.messages import messages
from striate.training.processes import Processes

_LOOK = 0.1
"""Seconds between two looks at a word."""

_ANNOUNCED, _READY = "announced", "ready"


def started_together() -> bool:
    """Whether this process was started as one of several."""
    names = ("RANK", "WORLD_SIZE", "MASTER_ADDR")
    return all(name in os.environ for name in names) and int(os.environ["WORLD_SIZE"]) > 1


@contextmanager
def joined(device: str = "auto") -> Generator[Processes]:
    """The processes that this one was started with; on its own where it was started alone.

    ``device``: ``cpu`` where no GPU is to be used.  Gradients travel by NCCL between GPUs and by
    Gloo between CPUs; small messages as ``training.messages`` has it.  InputError for more
    processes on this machine than it has GPUs, for Metal devices, and where the processes find no
    meeting place.
    """
    if not started_together():
        yield Processes()
        return
    gpu = _gpu(device)
    found, rank, count = _met()
    # The elastic agent's store outlives processes that are started again, and holds the addresses
    # of those before them.
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    store = PrefixStore(f"striate {attempt} {count}", found)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if gpu else "gloo", store=store, rank=rank, world_size=count
    )
    whole = dist.group.WORLD
    assert whole is not None
    # Two NCCL communicators in one step can wait for each other.
    apart = whole if gpu else dist.new_group()
    assert isinstance(apart, dist.ProcessGroup)
    here = not gpu and os.environ.get("LOCAL_WORLD_SIZE") == str(count)
    # The store outlives these processes where they are started again: a word for them alone.
    word: list[str] = [uuid.uuid4().hex]
    dist.broadcast_object_list(word, 0, device=torch.device("cpu"))
    with messages(rank, count, apart, here=here) as way:
        yield Processes(
            rank=rank, count=count, group=whole, messages=way, store=PrefixStore(word[0], store)
        )
    # Only where all went well: one that was left by the others would wait for them here.
    dist.destroy_process_group()


def announce(together: Processes, message: dict[str, Any] | None) -> None:
    """Tell the other processes what they wait for in ``announced``; None: there is nothing to do.
    What was told first stands.
    """
    if together.store is not None and not together.store.check([_ANNOUNCED]):
        together.store.set(_ANNOUNCED, json.dumps(message))


def announced(together: Processes) -> dict[str, Any] | None:
    """What the first process has to tell, however long that takes."""
    assert together.store is not None
    while not together.store.check([_ANNOUNCED]):
        time.sleep(_LOOK)
    return json.loads(together.store.get(_ANNOUNCED))


def all_ready(together: Processes) -> None:
    """Come back when every process has called this."""
    if together.store is None:
        return
    there = together.store.add(_READY, 1)
    while there < together.count:
        time.sleep(_LOOK)
        there = together.store.add(_READY, 0)


def _met() -> tuple[Store, int, int]:
    try:
        return next(rendezvous("env://"))
    except dist.DistError as error:
        where = "{MASTER_ADDR}:{MASTER_PORT}".format_map(os.environ)
        raise InputError(
            f"process {os.environ['RANK']} of {os.environ['WORLD_SIZE']}: no meeting at {where} "
            f"({str(error).splitlines()[0]}); set MASTER_ADDR to the machine of process 0 and "
            "MASTER_PORT to a free port of it"
        ) from error


def _gpu(device: str) -> bool:
    """Take this process's GPU, if it is to have one."""
    local, here = (int(os.environ.get(n, "0")) for n in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    if device == "mps":
        raise InputError("device mps: torch joins no processes on Metal; use one, or --device cpu")
    if device == "cpu" or not torch.cuda.is_available():
        return False
    if here > torch.cuda.device_count():
        raise InputError(
            f"{here} processes and {torch.cuda.device_count()} CUDA devices on this machine; start "
            "one process a device, or use --device cpu"
        )
    torch.cuda.set_device(local)
    return True
