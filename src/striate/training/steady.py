"""What makes a step a pure function of its inputs, and puts the process back as it was.

Set for the length of a training: the number of CPU threads (sums are split by thread), torch's
deterministic algorithms (an operation that has none raises), cuDNN's benchmark off.  Set for the
length of one step: the key of striate's own dropout, and the generators of torch, numpy and
Python, seeded from (seed, step), so that a user's own ``nn.Dropout`` is a function of them too.
"""

from __future__ import annotations

import os
import random
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor

from striate.building import keyed_step
from striate.keyed import bits
from striate.training.heap import kept_heap


class _Deterministic(Protocol):
    """What ``torch.utils.deterministic`` offers; torch sets it at run time, so types miss it."""

    fill_uninitialized_memory: bool


_options = cast(_Deterministic, torch.utils.deterministic)


@contextmanager
def steady_process(*, threads: int, deterministic: bool, device: str = "cpu") -> Generator[None]:
    """``threads`` CPU threads and, if asked, deterministic algorithms inside; as before outside.

    On the CPU, memory that is freed inside is kept (``kept_heap``).
    """
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        _options.fill_uninitialized_memory,
        torch.backends.cudnn.benchmark,
    )
    if deterministic:
        # cuBLAS reads this when it is first used; CPUs do not.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    _options.fill_uninitialized_memory = False  # costs time, and nothing reads it
    torch.backends.cudnn.benchmark = False
    try:
        with kept_heap(device):
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1], warn_only=before[2])
        _options.fill_uninitialized_memory = before[3]
        torch.backends.cudnn.benchmark = before[4]


@contextmanager
def steady_generators(seed: int) -> Generator[None]:
    """Torch's, numpy's and Python's generators seeded with ``seed`` inside; as before outside."""
    # numpy's old global generator: a user's own layer may draw from it.
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002 # as above
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        # torch.manual_seed asks every kind of device each time, at 80 µs a step.
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed_all(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 # as above
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)  # noqa: NPY002 # as above


@contextmanager
def steady_step(seed: int, step: int, ids: Tensor, *, rank: int = 0) -> Generator[None]:
    """Every draw inside is a function of (``seed``, ``step``), striate's own also of the sample.

    ``ids``: (N,) int64, the bits of the samples' ids.  ``rank``: of this process among those that
    share the batch; torch's own draws, which know no sample, differ from process to process.
    """
    word = bits(seed, "torch", step, rank) if rank else bits(seed, "torch", step)
    with steady_generators(int(word)), keyed_step(seed, step, ids):
        yield
