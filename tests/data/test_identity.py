"""Ids depend on content, class and occurrence; on nothing else."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from striate.data.identity import array_digest, digest, sample_ids


def test_digest_is_blake2b_of_class_and_bytes() -> None:
    text = struct.pack("<Q", 3) + b"cat" + b"bytes"
    expected = hashlib.blake2b(text, digest_size=8).digest()
    assert digest(b"bytes", "cat") == int.from_bytes(expected, "little")


def test_class_and_content_cannot_be_confused() -> None:
    assert digest(b"tbytes", "ca") != digest(b"bytes", "cat")


def test_arrays_differ_by_shape_type_and_value() -> None:
    plain = np.zeros((1, 2, 3), dtype=np.uint8)
    other = plain.copy()
    other[0, 0, 0] = 1
    digests = {
        array_digest(plain, "a"),
        array_digest(plain.reshape(1, 3, 2), "a"),
        array_digest(plain.astype(np.uint16), "a"),
        array_digest(other, "a"),
        array_digest(plain, "b"),
    }
    assert len(digests) == 5


def test_memory_layout_does_not_matter() -> None:
    pixels = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    turned = np.asfortranarray(pixels)
    swapped = pixels.astype(">u2")
    assert array_digest(pixels, "a") == array_digest(turned, "a") == array_digest(swapped, "a")


@given(
    words=st.lists(st.integers(0, 5), min_size=1, max_size=30),
    seed=st.integers(0, 1000),
)
def test_ids_are_unique_and_do_not_depend_on_the_listing(words: list[int], seed: int) -> None:
    digests = np.array(words, dtype=np.uint64)
    paths = [f"p{i:03}" for i in range(len(words))]
    ids = sample_ids(digests, paths)
    assert len(set(ids.tolist())) == len(words)
    shuffled = np.random.default_rng(seed).permutation(len(words))
    again = sample_ids(digests[shuffled], [paths[i] for i in shuffled])
    np.testing.assert_array_equal(again, ids[shuffled])


def test_the_first_occurrence_keeps_the_digest() -> None:
    digests = np.array([7, 9, 7], dtype=np.uint64)
    ids = sample_ids(digests, ["b", "a", "c"])
    assert ids[:2].tolist() == [7, 9]
    assert ids[2] not in (7, 9)
