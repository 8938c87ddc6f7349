"""From a plan to batches, in this process or in others, the same to the last bit."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch.utils.data as torch_data

from striate.data.augment import Augment, augmented
from striate.data.options import Indices, Pixels, Words
from striate.data.split import Split
from striate.errors import StriateError


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """``pixels`` (n, C, H, W) uint8 or uint16, ``labels`` (n,) int64, ``ids`` (n,) uint64."""

    pixels: Pixels
    labels: Indices
    ids: Words

    def __len__(self) -> int:
        return len(self.ids)


def load_batch(
    split: Split, indices: Indices, *, augment: Augment | None, seed: int, epoch: int
) -> Batch:
    """One batch, a pure function: a sample's pixels do not depend on the others in the batch."""
    if augment is None:
        pixels = split.pixels(indices)
    else:
        pixels = augmented(split, indices, augment, seed=seed, epoch=epoch)
    return Batch(pixels=pixels, labels=split.labels[indices], ids=split.ids[indices])


def batches(
    split: Split,
    plan: Sequence[Indices],
    *,
    augment: Augment | None,
    seed: int,
    epoch: int,
    workers: int,
    start: int = 0,
) -> Iterator[Batch]:
    """The batches of ``plan`` from number ``start`` on, in order.

    ``workers`` processes load ahead; 0 loads here.  Workers leave SIGINT to their parent, and are
    gone when the iterator is exhausted, closed or dropped.
    """
    jobs = _Jobs(split=split, plan=plan[start:], augment=augment, seed=seed, epoch=epoch)
    if workers == 0:
        for number in range(len(jobs)):
            yield jobs.load(number)
        return
    loader = torch_data.DataLoader(
        jobs,
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_is,  # without one, arrays would become tensors
        worker_init_fn=_start_worker,
    )
    loaded = iter(loader)
    try:
        for item in cast("Iterator[Batch | StriateError]", loaded):
            if isinstance(item, StriateError):
                raise item
            yield item
    finally:
        del loaded  # ends the worker processes now, not when the garbage is collected


@dataclass(frozen=True, kw_only=True, eq=False)
class _Jobs(torch_data.Dataset["Batch | StriateError"]):
    """The plan as the map-style data set that a DataLoader asks for: item i is batch i."""

    split: Split
    plan: Sequence[Indices]
    augment: Augment | None
    seed: int
    epoch: int

    def __len__(self) -> int:
        return len(self.plan)

    def load(self, number: int) -> Batch:
        return load_batch(
            self.split, self.plan[number], augment=self.augment, seed=self.seed, epoch=self.epoch
        )

    def __getitem__(self, number: int) -> Batch | StriateError:
        # An error is handed over as a value: DataLoader would bury its one line in a traceback.
        try:
            return self.load(number)
        except StriateError as error:
            return error


def _as_is(item: Any) -> Any:
    return item


def _start_worker(worker: int) -> None:
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
