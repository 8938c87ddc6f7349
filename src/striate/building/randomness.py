"""Randomness inside the network, as a function: which features a sample loses, at which step.

The training loop says which samples it is looking at:

    with keyed_step(seed, step, ids):       # ids: (N,) int64, one per sample of the batch
        loss = criterion(network(images), labels)

Within it, sample i's mask is a pure function of (seed, step, ids[i], the module's purpose), by the
same mixing as ``striate.keyed``: it does not depend on the other samples of the batch, on the
device, or on anything drawn before.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from striate import keyed
from striate.errors import StriateError


@dataclass(frozen=True, kw_only=True)
class Key:
    """What a draw inside the network depends on, besides its purpose; all int64.

    ``seed`` and ``step`` are 0-d tensors and no numbers, so that a compiled network is compiled
    once and not once for each step.  ``ids`` is (N,).
    """

    seed: Tensor
    step: Tensor
    ids: Tensor


# A plain stack and no ContextVar: the backward pass runs on threads of its own, and a forward
# that is recomputed there (activation checkpointing) must find the same key.
_keys: list[Key] = []


@contextmanager
def keyed_step(seed: int, step: int, ids: Tensor) -> Generator[None]:
    """Key every draw inside by (seed, step, sample id); ``ids`` is (N,) int64.

    One training loop per process: the key is the process's, not the thread's.
    """
    if ids.dtype != torch.int64 or ids.dim() != 1:
        raise StriateError(
            f"keyed_step takes ids as (N,) int64, not {tuple(ids.shape)} {ids.dtype}; "
            "view uint64 ids as int64"
        )
    _keys.append(Key(seed=_word(seed), step=_word(step), ids=ids))
    try:
        yield
    finally:
        _keys.pop()


def current_key() -> Key | None:
    """The key of the innermost ``keyed_step``, or None outside of all."""
    return _keys[-1] if _keys else None


def purpose_word(purpose: str) -> int:
    """The int64 a purpose is known by: ``keyed.purpose_word``'s bits."""
    return _signed(keyed.purpose_word(purpose))


def sample_bits(key: Key, word: int, count: int, device: torch.device) -> Tensor:
    """(N, count) int64: the words of ``keyed.bits(seed, purpose, step, ids[:, None], 0…count-1)``.

    ``word`` is the purpose's, by ``purpose_word``.
    """
    step = _mix(_mix(key.seed ^ word) ^ _mix(key.step))
    samples = _mix(step.to(device) ^ _mix(key.ids.to(device)))
    places = _mix(torch.arange(count, dtype=torch.int64, device=device))
    return _mix(samples[:, None] ^ places[None, :])


def keep_mask(
    key: Key, word: int, shape: Sequence[int], drop: float, device: torch.device
) -> Tensor:
    """Booleans of ``shape``, (N, …): False with probability ``drop``, for each element alone.

    An element is kept where its 53-bit uniform is at least ``drop``.  StriateError where N is not
    the number of ids.
    """
    if shape[0] != len(key.ids):
        raise StriateError(
            f"a batch of {shape[0]} met keyed_step's {len(key.ids)} ids; give one id per sample"
        )
    words = sample_bits(key, word, math.prod(shape[1:]), device)
    threshold = math.ceil(drop * 2.0**53)
    return (_shift(words, 11) >= threshold).reshape(tuple(shape))


def _word(number: int) -> Tensor:
    return torch.tensor(_signed(number & (1 << 64) - 1), dtype=torch.int64, device="cpu")


def _mix(words: Tensor) -> Tensor:
    """``keyed.mix`` on int64, which wraps as uint64 does."""
    words = words + _signed(0x9E3779B97F4A7C15)
    words = (words ^ _shift(words, 30)) * _signed(0xBF58476D1CE4E5B9)
    words = (words ^ _shift(words, 27)) * _signed(0x94D049BB133111EB)
    return words ^ _shift(words, 31)


def _shift(words: Tensor, by: int) -> Tensor:
    """Logical shift to the right: torch's own repeats the sign bit, which is masked off."""
    return (words >> by) & ((1 << (64 - by)) - 1)


def _signed(word: int) -> int:
    """The int64 with the bits of a uint64."""
    return word - (1 << 64) if word >= 1 << 63 else word
