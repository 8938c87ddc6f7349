"""An image size as people write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.errors import InputError
from striate.flow.sizes import cache_option, full_image, parse_bytes, parse_image

side = st.integers(1, 4096)


@given(st.sampled_from([1, 3, 16]), side, side, st.sampled_from("xX×"))
def test_what_is_written_is_read(channels: int, height: int, width: int, times: str) -> None:
    assert parse_image(f"{channels}{times}{height}{times}{width}") == (channels, height, width)
    assert parse_image(f" {height}{times}{width} ") == (None, height, width)


def test_what_is_left_open_is_taken_from_the_default() -> None:
    assert full_image("8x9", (1, 2, 3)) == (1, 8, 9)
    assert full_image("3x8x9", (1, 2, 3)) == (3, 8, 9)
    assert full_image(None, (1, 2, 3)) == (1, 2, 3)


@pytest.mark.parametrize(
    "text", ["", "8", "x", "3x", "8x8x", "1x2x3x4", "3x-8x8", "3.0x8x8", "8 x 8", "axb", "3*8*8"]
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(InputError, match="not a size; write 3x224x224 or 224x224"):
        parse_image(text)


@pytest.mark.parametrize("text", ["0x8", "8x0", "0x8x8", "3x0x10", "3x10x0", "00x8"])
def test_zero(text: str) -> None:
    with pytest.raises(InputError, match="every number must be at least 1"):
        parse_image(text)


def test_an_image_that_would_not_fit_into_memory() -> None:
    assert parse_image("1x16384x16384") == (1, 16384, 16384)
    with pytest.raises(InputError, match=r"more than 268,435,456 values in one image"):
        parse_image("1x16385x16384")
    with pytest.raises(InputError, match="more than"):
        parse_image("9" * 400 + "x8")


@given(st.integers(1, 10**6), st.sampled_from(["", "k", "M", "g", "T"]), st.booleans())
def test_a_memory_is_read(number: int, prefix: str, binary: bool) -> None:
    power = " kmgt".index(prefix.lower() or " ")
    size = number * (1024 if binary else 1000) ** power
    if power:
        assert parse_bytes(f"{number}{prefix}{'i' if binary else ''}B") == size
        assert parse_bytes(f" {number} {prefix}{'i' if binary else ''} ") == size
    else:
        assert parse_bytes(f"{number}") == parse_bytes(f"{number}B") == number


def test_a_part_of_a_unit() -> None:
    assert parse_bytes("1.5GiB") == 3 * 2**29


@pytest.mark.parametrize("text", ["", "much", "-1GiB", "16 GiBs", "GiB", "1,5GB", "16XB"])
def test_what_is_no_memory(text: str) -> None:
    with pytest.raises(InputError, match="not a size; write 16GiB, 24GB or 512MiB"):
        parse_bytes(text)


@pytest.mark.parametrize("text", ["0", "0GiB", "0.0001"])
def test_no_memory_at_all(text: str) -> None:
    with pytest.raises(InputError, match="is no memory at all"):
        parse_bytes(text)


def test_a_cache_may_be_none_and_a_word_is_no_size() -> None:
    assert cache_option(None, option="--cache") is None
    assert cache_option("0", option="--cache") == 0
    assert cache_option("1.5GB", option="--cache") == 1_500_000_000
    with pytest.raises(InputError) as caught:
        cache_option("much", option="--disk-cache")
    assert str(caught.value) == ("--disk-cache much: not a size; write 16GiB, 24GB or 512MiB")
