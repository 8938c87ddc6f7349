"""Every odd kind of image file is read by its rule, and every bad one refused with its reason.

The files and their outcomes are the tables of ``odd_files.py``.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from odd_files import BAD, GOOD, PLAIN_JPEG, rgb
from PIL import Image, ImageOps

from striate.data.images.bad import BadImage
from striate.data.images.decode import decode
from striate.data.images.header import read_header


@pytest.mark.parametrize("decoder", ["pillow", "simplejpeg"])
@pytest.mark.parametrize("name", GOOD)
def test_good_images_decode_to_what_was_written(name: str, decoder: Any) -> None:
    data, expected = GOOD[name]
    header = read_header(data)
    pixels = decode(data, decoder)
    np.testing.assert_array_equal(pixels.transpose(1, 2, 0), expected)
    assert pixels.dtype == expected.dtype
    assert (header.height, header.width) == expected.shape[:2]
    assert header.colour == (expected.shape[2] == 3)
    assert header.deep == (expected.dtype == np.uint16)


@pytest.mark.parametrize("name", BAD)
def test_bad_images_are_refused_with_the_reason(name: str) -> None:
    data, reason = BAD[name]
    with pytest.raises(BadImage) as caught:
        decode(data, "simplejpeg")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("decoder", ["pillow", "simplejpeg"])
def test_orientation_is_that_of_pillow(orientation: int, decoder: Any) -> None:
    tags = Image.Exif()
    tags[0x0112] = orientation
    data = rgb("JPEG", exif=tags)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    np.testing.assert_array_equal(decode(data, decoder).transpose(1, 2, 0), expected)
    assert ("rotated" in read_header(data).traits) == (orientation > 1)


def traits_of(name: str) -> set[str]:
    """What the name in ``GOOD`` says."""
    words = {
        "1 bit": "1-bit", "pbm": "1-bit", "palette": "palette", "gif": "palette",
        "RGBA": "alpha", "alpha": "alpha", "transparent": "alpha", "CMYK": "cmyk",
        "16-bit": "16-bit", "orientation 3": "rotated", "orientation 6": "rotated",
        "orientation 8": "rotated", "16-bit that counts from white": "from-white",
    }  # fmt: skip
    return {trait for word, trait in words.items() if word in name}


@pytest.mark.parametrize("name", GOOD)
def test_traits_name_the_rules_that_applied(name: str) -> None:
    assert read_header(GOOD[name][0]).traits == traits_of(name)


def test_broken_bytes_give_pixels_or_a_reason_and_nothing_else() -> None:
    rng = np.random.default_rng(7)
    outcomes = {"pixels": 0, "refused": 0}
    for data, _ in GOOD.values():
        for _ in range(40):
            broken = bytearray(data)
            for _ in range(int(rng.integers(1, 6))):
                broken[int(rng.integers(len(broken)))] = int(rng.integers(256))
            cut = bytes(broken[: int(rng.integers(1, len(broken) + 1))])
            for attempt in (bytes(broken), cut):
                try:
                    assert decode(attempt, "simplejpeg").ndim == 3
                    outcomes["pixels"] += 1
                except BadImage:
                    outcomes["refused"] += 1
    assert min(outcomes.values()) > 500


def test_the_decoder_of_plain_jpeg_is_the_named_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    simple = __import__("simplejpeg")
    real: Callable[..., Any] = simple.decode_jpeg

    def spy(data: bytes, colours: str) -> Any:
        asked.append(colours)
        return real(data, colours)

    monkeypatch.setattr(simple, "decode_jpeg", spy)
    decode(PLAIN_JPEG, "pillow")
    decode(GOOD["jpeg CMYK"][0], "simplejpeg")
    assert asked == []
    decode(PLAIN_JPEG, "simplejpeg")
    decode(GOOD["jpeg gray"][0], "simplejpeg")
    assert asked == ["RGB", "GRAY"]
