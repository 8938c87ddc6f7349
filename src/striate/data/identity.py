"""A sample's id: what it is, not where it was listed.

A sample's digest is the first 64 bits of BLAKE2b over its class name and its encoded bytes (for
arrays: their type, shape and values).  Its id is the digest mixed with its occurrence number: 0
for the first sample with that digest, in the order of paths, within the split it was given in.
So a folder and a parquet file of the same images have the same ids, and copies of one image have
ids of their own.  Two different images of a million share an id with probability below 1e-7, and
then only share their random draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from striate.data.options import Pixels, Words
from striate.keyed import mix


def digest(content: bytes, class_name: str) -> int:
    """The 64-bit digest of one encoded image of one class."""
    name = class_name.encode()
    hasher = hashlib.blake2b(len(name).to_bytes(8, "little") + name, digest_size=8)
    hasher.update(content)
    return int.from_bytes(hasher.digest(), "little")


def array_digest(pixels: Pixels, class_name: str) -> int:
    """The digest of one image given as an array (C, H, W)."""
    header = f"{pixels.dtype.name}{pixels.shape}".encode()
    little = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<"))
    return digest(header + little.tobytes(), class_name)


def sample_ids(digests: Words, paths: Sequence[str]) -> Words:
    """Ids from digests (N,); equal digests are numbered in the order of their paths."""
    ids = digests.copy()
    _, first, inverse, counts = np.unique(
        digests, return_index=True, return_inverse=True, return_counts=True
    )
    del first
    repeated = np.flatnonzero(counts[inverse] > 1)
    seen: dict[int, int] = {}
    for index in sorted(repeated.tolist(), key=lambda i: paths[i]):
        word = int(digests[index])
        occurrence = seen.get(word, 0)
        seen[word] = occurrence + 1
        if occurrence:
            number = mix(np.array([occurrence], dtype=np.uint64))
            ids[index] = mix(digests[index : index + 1] ^ number)[0]
    return ids


def key_word(key: str) -> int:
    """The 64-bit word of a group's key."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
