"""``striate fit --procs N``: the same command in N processes here, by torch's elastic agent.

The agent gives each its place, watches them, and starts all again when one dies: they go on from
the last checkpoint.  A process that ends because the user's input was wrong, or because it was
asked to stop, would only do so again, and is taken at its word.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch.distributed.elastic.agent.server.api import (
    RunResult,
    WorkerGroup,
    WorkerSpec,
    WorkerState,
)
from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure
from torch.distributed.elastic.rendezvous import RendezvousParameters
from torch.distributed.elastic.rendezvous.registry import get_rendezvous_handler

from striate.errors import InputError, Interrupted, ProcessLost, StriateError
from striate.training import started_together

RESTARTS = 3
"""How often all are started again after one has died."""

SAVING_SECONDS = 600
"""How long a process that was asked to stop may take to finish its step and save."""

Tell = Callable[[str], None]


def launch(arguments: Sequence[str], procs: int, tell: Tell) -> int:
    """Run ``python -m striate ARGUMENTS`` in ``procs`` processes; returns the exit code.

    The first has this process's input and output; what a user should know of restarts is passed
    to ``tell``.  InputError where another launcher has started this process already.
    """
    if started_together():
        raise InputError(
            f"--procs {procs}: this process is one of several already (WORLD_SIZE is "
            f"{os.environ['WORLD_SIZE']}); leave --procs out, and let the launcher say how many"
        )
    os.environ["STRIATE_PROCS"] = str(procs)  # cli/processes.py reads it
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, torch.get_num_threads() // procs)))
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    logging.disable()  # what the agent has to say of its processes is said here, in a line
    handler = get_rendezvous_handler(
        RendezvousParameters(
            backend="c10d",
            endpoint="127.0.0.1:0",
            run_id=uuid.uuid4().hex,
            min_nodes=1,
            max_nodes=1,
            local_addr="127.0.0.1",
        )
    )
    agent = _Agent(
        WorkerSpec(
            role="striate",
            local_world_size=procs,
            entrypoint=sys.executable,
            args=("-m", "striate", *arguments),
            rdzv_handler=handler,
            max_restarts=RESTARTS,
            monitor_interval=0.1,
            local_addr="127.0.0.1",
        ),
        tell,
    )
    try:
        result = cast(RunResult, agent.run())  # torch's decorator hides its type
    except SignalException:
        return Interrupted.exit_code
    finally:
        handler.shutdown()
        logging.disable(logging.NOTSET)
    return exit_code(result.failures) if result.is_failed() else 0


def exit_code(failures: Mapping[int, ProcessFailure]) -> int:
    """What the whole ends with: what a process ended with by its own decision, else 75.

    ``failures``: by rank.
    """
    codes = [failures[rank].exitcode for rank in sorted(failures)]
    own = [code for code in codes if code in _DECIDED]
    return own[0] if own else ProcessLost.exit_code


_DECIDED = (StriateError.exit_code, Interrupted.exit_code)


class _Agent(LocalElasticAgent):
    """Torch's agent, that starts nothing again in vain, and says what it does in a line."""

    def __init__(self, spec: WorkerSpec, tell: Tell) -> None:
        super().__init__(spec, DefaultLogsSpecs(), shutdown_timeout=SAVING_SECONDS)
        self._tell = tell

    def _monitor_workers(  # pyright: ignore[reportIncompatibleVariableOverride] # torch's decorator hides its type
        self, worker_group: WorkerGroup
    ) -> RunResult:
        watch = cast(Callable[[WorkerGroup], RunResult], super()._monitor_workers)
        result = watch(worker_group)
        if result.state == WorkerState.FAILED:
            first = min(result.failures.values(), key=lambda failure: failure.timestamp)
            codes = [failure.exitcode for failure in result.failures.values()]
            if StriateError.exit_code in codes or first.exitcode == Interrupted.exit_code:
                self._remaining_restarts = 0
            else:
                self._tell(self._said(result.failures))
        return result

    def _said(self, failures: Mapping[int, ProcessFailure]) -> str:
        # One that lost another is not the one that died, though it may be seen first.
        died = {r: f for r, f in failures.items() if f.exitcode != ProcessLost.exit_code}
        rank, failure = min((died or failures).items(), key=lambda item: item[1].timestamp)
        how = f"exit code {failure.exitcode}"
        if failure.exitcode < 0:
            how = signal.Signals(-failure.exitcode).name
        left = self._remaining_restarts
        said = f"process {rank} of {len(self._worker_group.workers)} died ({how})"
        if not left:
            return (
                f"{said}, after {RESTARTS} restarts; what was saved is kept, and --resume goes on"
            )
        return (
            f"{said}; all are started again and go on from the last checkpoint "
            f"({RESTARTS - left + 1} of at most {RESTARTS} restarts)"
        )
