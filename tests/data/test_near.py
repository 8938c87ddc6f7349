"""Hashes and the search for near ones, against brute force and the definition."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from striate.data import near
from striate.data.hashing import EVEN, correlations, signatures, thumbnail
from striate.data.near import find_near

Picture = Callable[..., NDArray[np.uint8]]


def planes(pictures: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    return [np.ascontiguousarray(one.transpose(2, 0, 1)) for one in pictures]


def signed(images: list[NDArray[Any]], scale: float = 255.0) -> Any:
    return signatures(np.stack([thumbnail(image, scale) for image in images]))


def changed(pixels: NDArray[np.uint8], how: str) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels)
    if how == "jpeg":
        out = io.BytesIO()
        image.save(out, "JPEG", quality=50)
        image = Image.open(out)
    elif how == "twice the size":
        image = image.resize((2 * image.width, 2 * image.height), Image.Resampling.BICUBIC)
    elif how == "smaller":
        image = image.resize((3 * image.width // 4, 3 * image.height // 4))
    elif how == "gray":
        image = image.convert("L").convert("RGB")
    elif how == "darker":
        image = image.point(lambda value: value * 0.7)
    return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("how", ["jpeg", "twice the size", "smaller", "gray", "darker"])
def test_a_changed_copy_is_near_and_strangers_are_not(make_picture: Picture, how: str) -> None:
    pictures = [make_picture(seed, height=48, width=40) for seed in range(60)]
    copies = [changed(one, how) for one in pictures]
    words, levels, even = signed(planes([*pictures, *copies]))
    assert not even.any()
    found = find_near(words, levels)
    assert found.complete
    assert found.pairs.tolist() == [[i, i + 60] for i in range(60)]


def test_sixteen_bits_look_as_eight_do(make_picture: Picture) -> None:
    shallow = planes([make_picture(seed) for seed in range(20)])
    deep = [one.astype(np.uint16) * np.uint16(257) for one in shallow]
    # 16-bit images are brought to 32×32 without rounding to whole levels, so not to the bit.
    words, levels, _ = signatures(
        np.stack([*(thumbnail(i, 255.0) for i in shallow), *(thumbnail(i, 65535.0) for i in deep)])
    )
    assert find_near(words, levels).pairs.tolist() == [[i, i + 20] for i in range(20)]


def test_the_bits_are_those_of_the_definition() -> None:
    small = np.random.default_rng(1).uniform(0, 255, (3, 32, 32)).astype(np.float32)
    words, _, _ = signatures(small)
    place = np.arange(32)
    frequencies = sorted(
        ((u, v) for u in range(32) for v in range(32) if u + v),
        key=lambda pair: (sum(pair), abs(pair[0] - pair[1]), pair),
    )[:64]
    for image, word in zip(small.astype(np.float64), words.tolist(), strict=True):
        found = []
        for u, v in frequencies:
            down = np.cos((2 * place + 1) * u * np.pi / 64) * np.sqrt((1 if u == 0 else 2) / 32)
            across = np.cos((2 * place + 1) * v * np.pi / 64) * np.sqrt((1 if v == 0 else 2) / 32)
            found.append(float((image * down[:, None] * across).sum()))
        bound = np.median(found) + 0.05 * np.sqrt(np.square(found).mean())
        assert word == sum(1 << bit for bit, value in enumerate(found) if value > bound)


def test_an_even_image_is_told() -> None:
    flat = np.full((3, 20, 20), 77, np.uint8)
    shaded = flat.copy()
    shaded[:, :10] += np.uint8(4 * EVEN)
    assert signed([flat, shaded])[2].tolist() == [True, False]


def test_correlation_is_pearsons() -> None:
    rng = np.random.default_rng(0)
    one, two = (rng.integers(-100, 100, (5, 256)).astype(np.int8) for _ in range(2))
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(one, two, strict=True)]
    np.testing.assert_allclose(correlations(one, two), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("distance", [0, 3, 7])
@pytest.mark.parametrize("seed", range(4))
def test_the_search_finds_what_brute_force_finds(distance: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 1 << 63, 300, dtype=np.uint64)
    for i in range(100, 300):
        # A neighbour of an earlier one at 0 to 9 bits, anywhere in the word.
        words[i] = words[i - 100]
        for bit in rng.choice(64, int(rng.integers(0, 10)), replace=False).tolist():
            words[i] ^= np.uint64(1 << bit)
    same = np.tile(rng.integers(-100, 100, 256).astype(np.int8), (300, 1))
    expected = [
        ([i, j], bits)
        for i in range(300)
        for j in range(i + 1, 300)
        if (bits := (int(words[i]) ^ int(words[j])).bit_count()) <= distance
    ]
    assert len(expected) > 5
    found = find_near(words, same, distance=distance)
    assert list(zip(found.pairs.tolist(), found.bits.tolist(), strict=True)) == expected
    assert found.complete


def test_levels_decide() -> None:
    words = np.zeros(3, np.uint64)
    levels = np.random.default_rng(0).integers(-100, 100, (3, 256)).astype(np.int8)
    levels[2] = levels[0]
    assert find_near(words, levels).pairs.tolist() == [[0, 2]]


def test_a_search_that_is_stopped_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "MOST_COMPARED", 100)
    levels = np.ones((100, 256), np.int8)
    assert not find_near(np.zeros(100, np.uint64), levels).complete
