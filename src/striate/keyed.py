"""Randomness as a function: every draw is a pure function of its key.

A key is (seed, purpose, integers…), for example (seed, "order", epoch) with one sample id per
element.  No generator state exists, so what a sample gets depends neither on the batch it lands
in, nor on the number of workers, nor on where a run was resumed.

The mixing function is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable
pseudorandom number generators", OOPSLA 2014), applied once per part of the key.

Comes in: integers and arrays of integers.  Goes out: numpy arrays.  May import: numpy.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)

Words = NDArray[np.uint64]


def mix(words: Words) -> Words:
    """SplitMix64's finaliser, element by element: a bijection of 64-bit words."""
    z = words + _GAMMA
    z = (z ^ (z >> np.uint64(30))) * _M1
    z = (z ^ (z >> np.uint64(27))) * _M2
    return z ^ (z >> np.uint64(31))


def purpose_word(purpose: str) -> int:
    """A purpose's 64-bit word: the first eight bytes of its BLAKE2b digest, little endian."""
    return int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little")


def bits(seed: int, purpose: str, *parts: Any) -> Words:
    """64 random bits for each element of the broadcast ``parts``.

    ``parts`` are integers or arrays of integers (broadcast against each other); the result has
    their broadcast shape (a 0-d array when all are plain integers).
    """
    with np.errstate(over="ignore"):
        word = mix(np.asarray(np.uint64(seed & (2**64 - 1))) ^ np.uint64(purpose_word(purpose)))
        for part in parts:
            # A 0-d uint64 multiplication warns where a 1-d one wraps silently; both mean to wrap.
            value = np.asarray(part)
            word = mix(word ^ mix(value.astype(np.uint64)))
    return np.asarray(word)


def uniform(seed: int, purpose: str, *parts: Any) -> NDArray[np.float64]:
    """Doubles in [0, 1) with 53 random bits, one for each element of the broadcast ``parts``."""
    return (bits(seed, purpose, *parts) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def integers(seed: int, purpose: str, below: int, *parts: Any) -> NDArray[np.int64]:
    """Integers in [0, below), one for each element of the broadcast ``parts``.

    The bias of the multiply-and-floor method is below 2**-53 × ``below``.
    """
    return np.floor(uniform(seed, purpose, *parts) * below).astype(np.int64)


def order(seed: int, purpose: str, ids: Words, *parts: Any) -> NDArray[np.int64]:
    """A permutation of ``range(len(ids))`` that depends on the ids as a set, not on their places.

    Sorting by (random word of the id, id) gives the same sequence of ids however they are listed.
    """
    return np.lexsort((ids, bits(seed, purpose, *parts, ids))).astype(np.int64)
