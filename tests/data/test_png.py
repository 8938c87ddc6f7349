"""Undoing PNG's filters, against Pillow and against the specification written out."""

from __future__ import annotations

import io
import zlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from striate.data.images.png import read_png_header, unfilter


def one_by_one(filters: NDArray[np.uint8], coded: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Section 9.2 of the specification, byte by byte."""
    height, width, step = coded.shape
    out = np.zeros((height, width, step), dtype=int)
    for y in range(height):
        for x in range(width):
            for k in range(step):
                a = out[y, x - 1, k] if x else 0
                b = out[y - 1, x, k] if y else 0
                c = out[y - 1, x - 1, k] if x and y else 0
                p = a + b - c
                paeth = min((a, b, c), key=lambda near: abs(p - near))
                guess = (0, a, b, (a + b) // 2, paeth)[filters[y]]
                out[y, x, k] = (int(coded[y, x, k]) + guess) % 256
    return out.astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2, 4, 6, 8])),
    seed=st.integers(0, 2**32 - 1),
)
def test_unfilter_is_the_specification(size: tuple[int, int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    filters = rng.integers(0, 5, size[0], dtype=np.uint8)
    coded = rng.integers(0, 256, size, dtype=np.uint8)
    np.testing.assert_array_equal(unfilter(filters, coded), one_by_one(filters, coded))


def test_unfilter_reads_what_pillow_writes() -> None:
    rows, columns = np.mgrid[:40, :50]
    pixels = np.stack([3 * rows, 255 - 4 * columns, rows * columns // 9], axis=2).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    data = out.getvalue()
    start = data.index(b"IDAT")
    length = int.from_bytes(data[start - 4 : start], "big")
    raw = np.frombuffer(zlib.decompress(data[start + 4 : start + 4 + length]), dtype=np.uint8)
    lines = raw.reshape(40, 151)
    assert len(set(lines[:, 0].tolist())) > 1, "Pillow chose one filter for all rows"
    np.testing.assert_array_equal(unfilter(lines[:, 0], lines[:, 1:].reshape(40, 50, 3)), pixels)


def test_header_says_size_and_depth() -> None:
    out = io.BytesIO()
    Image.fromarray(np.zeros((7, 5), dtype=np.uint16)).save(out, "PNG")
    header = read_png_header(out.getvalue())
    assert (header.height, header.width, header.bits, header.kind) == (7, 5, 16, 0)
    assert not header.deep_colour
