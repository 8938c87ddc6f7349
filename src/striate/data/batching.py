"""From a plan to batches, in this process or in others, the same to the last bit."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import warnings
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.utils.data as torch_data

from striate.data.augment import Augment, augmented
from striate.data.mixing import Mix, Mixed, mix_in, partners
from striate.data.options import Indices, Pixels, Words
from striate.data.plan import draws_of
from striate.data.split import Split
from striate.errors import DataError, StriateError


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """``pixels`` (n, C, H, W) uint8 or uint16, ``labels`` (n,) int64, ``ids`` (n,) uint64.

    ``keys`` (n,) uint64: what is drawn for a sample depends on this, its id, or another word where
    it comes again in its epoch.  ``mixed``: what is in the pixels beside, where images are mixed.
    """

    pixels: Pixels
    labels: Indices
    ids: Words
    keys: Words
    mixed: Mixed | None = None

    def __len__(self) -> int:
        return len(self.ids)


def load_batch(
    split: Split,
    draws: Indices,
    *,
    augment: Augment | None,
    seed: int,
    epoch: int,
    mix: Mix | None = None,
    whole: Indices | None = None,
) -> Batch:
    """One batch, a pure function: what a sample looks like does not depend on the others in it.

    ``draws`` as ``epoch_plan`` gives them.  ``mix``: partners are found in ``whole``, the batch of
    which ``draws`` are this process's part (all of it, if not given); their pixels are made here
    where they are not among ``draws``.
    """

    def made(some: Indices) -> Pixels:
        indices, keys = draws_of(split, some)
        if augment is None:
            return split.pixels(indices)
        return augmented(split, indices, keys, augment, seed=seed, epoch=epoch)

    indices, keys = draws_of(split, draws)
    pixels, mixed = made(draws), None
    if mix is not None and mix.any:
        mates = _mates(split, draws, draws if whole is None else whole, seed=seed, epoch=epoch)
        absent = np.setdiff1d(mates, draws)
        known = np.concatenate([draws, absent])
        at = np.argsort(known)
        at = at[np.searchsorted(known, mates, sorter=at)]
        others = (np.concatenate([pixels, made(absent)]) if len(absent) else pixels)[at]
        pixels, share = mix_in(pixels, others, keys, mix, seed=seed, epoch=epoch)
        mixed = Mixed(labels=split.labels[draws_of(split, mates)[0]], share=share)
    return Batch(
        pixels=pixels, labels=split.labels[indices], ids=split.ids[indices], keys=keys, mixed=mixed
    )


def _mates(split: Split, draws: Indices, whole: Indices, *, seed: int, epoch: int) -> Indices:
    """The partners (n,) of ``draws`` (n,), as draws of ``whole``."""
    found = partners(draws_of(split, whole)[1], seed=seed, epoch=epoch)
    places = np.argsort(whole)
    return whole[found[places[np.searchsorted(whole, draws, sorter=places)]]]


def batches(
    split: Split,
    plan: Sequence[Indices],
    *,
    augment: Augment | None,
    seed: int,
    epoch: int,
    workers: int,
    start: int = 0,
    mix: Mix | None = None,
    whole: Sequence[Indices] | None = None,
    ahead: bool = True,
) -> Iterator[Batch]:
    """The batches of ``plan`` from number ``start`` on, in order.

    ``workers`` processes load ahead.  Without any, a thread loads the next batch while the caller
    uses this one, or with ``ahead`` False nothing does: each is loaded when it is asked for.
    Workers and the thread leave SIGINT to their parent, and are gone when the iterator is
    exhausted, closed or dropped.  ``whole``: the plan of all processes, of whose batches those of
    ``plan`` are parts; the same as ``plan``, if not given.
    """
    jobs = _Jobs(
        split=split,
        plan=plan[start:],
        augment=augment,
        seed=seed,
        epoch=epoch,
        mix=mix,
        whole=(plan if whole is None else whole)[start:],
    )
    if workers == 0:
        yield from _one_ahead(jobs) if ahead else map(jobs.load, range(len(jobs)))
        return
    loaded = _start(jobs, workers)
    try:
        while (item := _next(loaded)) is not None:
            if isinstance(item, StriateError):
                raise item
            yield item
    finally:
        # Dropping the iterator would end the workers too, but not while a traceback holds it.
        loaded._shutdown_workers()


def _one_ahead(jobs: _Jobs) -> Iterator[Batch]:
    """Every batch, the next one loading in a thread: decoders and large copies let go of the
    interpreter.  What loading raises is raised at its batch; at the end at most one load is
    waited for.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="striate-load") as pool:
        coming: Future[Batch] | None = None
        for number in range(len(jobs)):
            batch = jobs.load(number) if coming is None else coming.result()
            last = number + 1 == len(jobs)
            coming = None if last else pool.submit(jobs.load, number + 1)
            yield batch


def _start(jobs: _Jobs, workers: int) -> Any:
    """DataLoader's own iterator over the jobs, its workers running."""
    loader = torch_data.DataLoader(
        jobs,
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_is,  # without one, arrays would become tensors
        worker_init_fn=partial(_start_worker, os.getpid()),
        # Its own generator: the seed that DataLoader draws must not move torch's global state.
        generator=torch.Generator(),
        # A forked worker shares the pixels with its parent; elsewhere they are copied to it.
        multiprocessing_context="fork" if sys.platform == "linux" else None,
    )
    with _signals_held(), warnings.catch_warnings():
        # Workers run numpy, Pillow and simplejpeg alone, none of which holds a lock over a fork.
        warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
        return iter(loader)


@contextmanager
def _signals_held() -> Generator[None]:
    """Hold SIGINT and SIGTERM back, here until the end of the block, and in what is started in it.

    So a Ctrl-C finds no worker that does not know yet that it is not meant for it.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _next(loaded: Iterator[Batch | StriateError]) -> Batch | StriateError | None:
    try:
        return next(loaded, None)
    except RuntimeError as error:
        said = " ".join(str(error).split())
        raise DataError(f"a loader process ended ({said}); use fewer workers, or 0") from error


@dataclass(frozen=True, kw_only=True, eq=False)
class _Jobs(torch_data.Dataset["Batch | StriateError"]):
    """The plan as the map-style data set that a DataLoader asks for: item i is batch i."""

    split: Split
    plan: Sequence[Indices]
    augment: Augment | None
    seed: int
    epoch: int
    mix: Mix | None
    whole: Sequence[Indices]

    def __len__(self) -> int:
        return len(self.plan)

    def load(self, number: int) -> Batch:
        return load_batch(
            self.split,
            self.plan[number],
            augment=self.augment,
            seed=self.seed,
            epoch=self.epoch,
            mix=self.mix,
            whole=self.whole[number],
        )

    def __getitem__(self, number: int) -> Batch | StriateError:
        # An error is handed over as a value: DataLoader would bury its one line in a traceback.
        try:
            return self.load(number)
        except StriateError as error:
            return error


def _as_is(item: Any) -> Any:
    return item


_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def _start_worker(parent: int, worker: int) -> None:
    """What a worker does first: leave Ctrl-C to its parent, and end when that ends."""
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not the parent's, which saves the run
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    if sys.platform == "linux":
        # torch's watchdog looks for the parent it finds at its start: one that was killed before
        # that leaves a worker waiting for ever.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:
            os._exit(1)
