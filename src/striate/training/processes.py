"""Several processes that train one network: each takes a slice of every batch.

The batches are those of one process, whatever the number: a batch of N samples is cut into slices
whose sizes differ by at most one, and the slices' gradients, weighted by their share n / N of the
samples, add up to the gradient of the mean over the batch.  What a step decides on (the loss, a
request to stop) is summed over all processes first, so that all decide alike.  The first process
alone writes.

``Processes()`` is a process on its own: every method then gives back what it was given.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import Store

from striate.data import Split, whole_plan
from striate.data.options import Indices
from striate.errors import ProcessLost, RecipeError, RunError
from striate.records import EpochRecord, Evaluation, StepRecord
from striate.records.health import WatchedStep
from striate.runs import Preprocessing, Setting, Tta, evaluate, evaluation_of, predict_plan
from striate.training.messages import Messages
from striate.training.norms import ReducedNorms


@dataclass(frozen=True, kw_only=True)
class Agreed:
    """What a step's processes know together: the batch's mean loss, how many of it were right,
    and whether any of them is asked to stop.
    """

    loss: float
    right: int
    stop: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Processes:
    """The place of this process among ``count``; ``rank`` 0 writes.

    ``group``: over which gradients are reduced, None for a process on its own.
    ``messages``: for what all wait for, as batch norms do in the backward pass: it does not queue
    behind gradients, which nothing waits for until the pass is over.
    ``store``: words that all can set and read, for what is waited for before training.
    """

    rank: int = 0
    count: int = 1
    group: dist.ProcessGroup | None = None
    messages: Messages | None = None
    store: Store | None = None

    @property
    def writes(self) -> bool:
        """Whether this process writes the run's folder and speaks to the user."""
        return self.rank == 0

    def share(self, plan: Sequence[Indices]) -> list[Indices]:
        """Of every batch, the slice that is this process's.

        >>> [part.tolist() for part in Processes(rank=1, count=2).share([np.arange(5)])]
        [[3, 4]]
        """
        return [np.array_split(batch, self.count)[self.rank] for batch in plan]

    def refuse_small(self, batches: Sequence[Indices]) -> None:
        """RecipeError where some batch has fewer images than there are processes."""
        least = min(len(batch) for batch in batches)
        if least < self.count:
            raise RecipeError(
                f"{self.count} processes cannot share a batch of {least} "
                f"image{'' if least == 1 else 's'}; use fewer processes, or a larger --batch"
                if self.writes
                else ""
            )

    def agree(self, loss: float, right: int, own: int, whole: int, *, stop: bool) -> Agreed:
        """Join the step's facts: ``loss`` is the mean over this process's ``own`` samples of the
        ``whole`` batch.  A loss that is not finite anywhere is not finite for all.
        """
        if self.messages is None:
            return Agreed(loss=loss, right=right, stop=stop)
        sums = self._sum([loss * own, float(right), float(stop)])
        return Agreed(loss=sums[0] / whole, right=round(sums[1]), stop=sums[2] > 0)

    def any(self, fact: bool) -> bool:
        """Whether ``fact`` holds in any process."""
        return fact if self.messages is None else self._sum([float(fact)])[0] > 0

    def weight(self, own: int, whole: int) -> float:
        """What a slice's mean loss is multiplied by, so that the mean of all processes' gradients,
        which is what ``DistributedDataParallel`` takes, is the batch's: 1 where all are even.
        """
        return own * self.count / whole

    def norms(self, kind: Literal["reduced", "local"]) -> AbstractContextManager[object]:
        """Within: batch norms in training mode see the whole batch, unless they are ``local``."""
        if self.messages is None or kind == "local":
            return nullcontext()
        return ReducedNorms(self.messages)

    def same_step(self, step: int) -> None:
        """RunError where the processes would go on from different steps."""
        if self.messages is None:
            return
        found = cast("list[int]", self.messages.gather(torch.tensor([step])).flatten().tolist())
        odd = [rank for rank, other in enumerate(found) if other != found[0]]
        if odd:
            raise RunError(
                f"process {odd[0]} goes on after step {found[odd[0]]} and process 0 after "
                f"step {found[0]}: the run's folder must lie on storage that all machines see"
                if self.writes
                else ""
            )

    def evaluate(
        self,
        module: nn.Module,
        split: Split,
        preprocessing: Preprocessing,
        *,
        setting: Setting,
        batch_size: int,
        device: torch.device | str,
        workers: int = 0,
        tta: Tta = "none",
    ) -> Evaluation:
        """``runs.evaluate``, the batches dealt out over the processes: the same batches as one
        process has, so the same numbers.  Buffers are the first process's in all.
        """
        if self.group is None:
            return evaluate(
                module,
                split,
                preprocessing,
                setting=setting,
                batch_size=batch_size,
                device=device,
                workers=workers,
                tta=tta,
            )
        self._share_buffers(module)
        plan = whole_plan(split, batch_size=batch_size)[self.rank :: self.count]
        logs = np.zeros((len(split), len(preprocessing.classes)), np.float32)
        if plan:
            logs[np.concatenate(plan)] = predict_plan(
                module,
                split,
                plan,
                preprocessing,
                setting=setting,
                device=device,
                workers=workers,
                tta=tta,
            )
        # Each row is one process's and nought elsewhere, so the sum is exact.
        dist.all_reduce(torch.from_numpy(logs), group=self.group)
        classes = preprocessing.classes
        return evaluation_of(logs, split.labels, split=split.name, classes=classes, tta=tta)

    def _share_buffers(self, module: nn.Module) -> None:
        own = {name: buffer.cpu() for name, buffer in module.named_buffers()}
        shared: list[dict[str, Tensor] | None] = [own if self.writes else None]
        dist.broadcast_object_list(shared, 0, group=self.group, device=torch.device("cpu"))
        for name, buffer in module.named_buffers():
            buffer.copy_((shared[0] or own)[name])

    def _sum(self, values: Sequence[float]) -> list[float]:
        assert self.messages is not None
        words = torch.tensor(values, dtype=torch.float64)
        return cast("list[float]", self.messages.gather(words).sum(0).tolist())


class NoMetrics:
    """Takes records and keeps none: what a process has that does not write."""

    length = 0

    def append(self, record: StepRecord | EpochRecord | WatchedStep) -> None:
        """Nothing is written."""

    def cut(self, length: int) -> None:
        """There is nothing to go back over."""

    def sync(self) -> None:
        """Nothing is waited for."""

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def lost_processes(together: Processes) -> Generator[None]:
    """``ProcessLost`` where a message inside could not be sent, or was never answered."""
    try:
        yield
    except RuntimeError as error:
        if together.group is None or not _of_messages(error):
            raise
        raise ProcessLost(
            f"process {together.rank} of {together.count}: another process of this run has gone "
            f"({_brief(error)}); what was saved is kept, and --resume goes on"
        ) from error


def _of_messages(error: RuntimeError) -> bool:
    text = str(error).lower()
    return isinstance(error, dist.DistError) or any(
        sign in text for sign in ("gloo", "nccl", "connection closed by peer", "connection reset")
    )


def _brief(error: RuntimeError) -> str:
    first = str(error).splitlines()[0]
    return first.rpartition("] ")[2].strip().rstrip(".") or type(error).__name__
