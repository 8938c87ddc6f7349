"""Several processes by ``srun``: what Slurm tells each of its place, in the names torch reads.

``srun --ntasks=4 striate fit …`` starts four processes that know their place by SLURM_PROCID and
its kin alone.  The first node of the step holds the first process, which the others look for
there, on a port that is the same for all because it follows from the numbers of job and step.
What the user, ``torchrun`` or ``--procs`` has set stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from striate.errors import InputError

_FIRST_PORT, _PORTS = 10_000, 20_000
"""Below the ports that Linux gives to outgoing connections (32,768 and above)."""

_OWN_STEPS = 0xFFFFFFF0
"""From here on steps are Slurm's own, as a batch script or an interactive shell (slurm.h)."""


def torch_names(environ: Mapping[str, str]) -> dict[str, str]:
    """RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT of this task of
    an srun step of several; empty where another launcher has set them, and in a process that is
    no task of such a step: an sbatch script's own stands for all tasks, and is one.

    InputError for what Slurm would not say.
    """
    if "RANK" in environ or "WORLD_SIZE" in environ or not environ.get("SLURM_STEP_ID"):
        return {}
    step = _number(environ, "SLURM_STEP_ID")
    sizes = [name for name in ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS") if name in environ]
    count = _number(environ, sizes[0]) if sizes else 1
    if step >= _OWN_STEPS or count < 2:
        return {}
    rank = _number(environ, "SLURM_PROCID")
    if rank >= count:
        raise InputError(f"SLURM_PROCID={rank}: must be below {sizes[0]}={count}")
    local, here = _number(environ, "SLURM_LOCALID"), _tasks_here(environ, count)
    if _sees_its_own_gpus(environ, here):
        local, here = 0, 1
    port = _FIRST_PORT + (17 * _number(environ, "SLURM_JOB_ID") + step) % _PORTS
    if environ.get("MASTER_PORT"):
        port = _number(environ, "MASTER_PORT")
        if not 0 < port < 65_536:
            raise InputError(f"MASTER_PORT={port}: must be from 1 to 65535")
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_RANK": str(local),
        "LOCAL_WORLD_SIZE": str(here),
        "MASTER_ADDR": environ.get("MASTER_ADDR") or first_node(_nodes(environ)),
        "MASTER_PORT": str(port),
    }


def first_node(nodes: str) -> str:
    """The first of Slurm's list of nodes.

    >>> first_node("gpu[07-09,12],login1")
    'gpu07'

    InputError for what is no such list.
    """
    found = re.match(r"(?:[^\s\[\],]|\[[^\[\]]+\])+(?=,|$)", nodes)
    first = re.sub(r"\[(\d+)[^\]]*\]", r"\1", found[0]) if found else ""
    if not first or "[" in first:
        raise InputError(
            f"Slurm's nodes {nodes!r}: must be a list as node[01-04],gpu7; or set MASTER_ADDR to "
            "the node of the first task"
        )
    return first


def _nodes(environ: Mapping[str, str]) -> str:
    for name in ("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST"):
        if name in environ:
            return environ[name]
    raise InputError(
        "SLURM_STEP_NODELIST is not set: set MASTER_ADDR to the node of the first task"
    )


def _tasks_here(environ: Mapping[str, str], count: int) -> int:
    """How many of the step's ``count`` tasks this node has: ``2(x3),1`` says it of four nodes in
    turn.  Where nothing is said they are all on this one.
    """
    names = ("SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE")
    name = next((name for name in names if name in environ), None)
    if name is None:
        return count
    said = f"{name}={environ[name]}"
    node = _number(environ, "SLURM_NODEID")
    nodes = 0
    for part in environ[name].split(","):
        read = re.fullmatch(r"([0-9]{1,9})(?:\(x([0-9]{1,9})\))?", part)
        if read is None:
            raise InputError(f"{said}: must be as 2(x3),1")
        nodes += int(read[2] or 1)
        if node < nodes:
            return int(read[1])
    raise InputError(f"SLURM_NODEID={node}: {said} has no such node")


def _sees_its_own_gpus(environ: Mapping[str, str], here: int) -> bool:
    """Whether Slurm shows each task GPUs of its own (``--gpus-per-task``), of which it takes the
    first, rather than all of the node's, of which it takes one by its place.
    """
    asked = "SLURM_GPUS_PER_TASK" in environ or "gpu" in environ.get("SLURM_TRES_PER_TASK", "")
    seen = environ.get("CUDA_VISIBLE_DEVICES", environ.get("ROCR_VISIBLE_DEVICES", ""))
    return asked and 0 < len([one for one in seen.split(",") if one]) < here


def _number(environ: Mapping[str, str], name: str) -> int:
    text = environ.get(name)
    if text is None:
        raise InputError(f"{name} is not set in a step of several tasks: srun sets it")
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise InputError(
            f"{name}={text}: must be a whole number from 0, in a step of several tasks"
        )
    return int(text)
