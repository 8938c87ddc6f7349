"""One image file, read as a network takes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from striate.data import normalise, open_data, read_image, read_original
from striate.data.strings import Strings
from striate.errors import ImageError

Picture = Callable[..., NDArray[np.uint8]]
Encode = Callable[..., bytes]


def test_it_is_what_the_data_set_gives(
    write_folder: Callable[..., Path], cats_and_dogs: Callable[..., dict[str, bytes]]
) -> None:
    root = write_folder(cats_and_dogs(5))
    data = open_data(str(root))
    for path, pixels in zip(
        data.train.paths(np.arange(3)), data.train.pixels(np.arange(3)), strict=True
    ):
        found, scale = read_image(root / path, image=data.image, fit=data.fit)
        np.testing.assert_array_equal(found, pixels)
        assert scale == data.scale


def test_deep_and_shallow_files_mean_the_same(
    tmp_path: Path, make_picture: Picture, encode: Encode
) -> None:
    gray = make_picture(0, channels=1)
    (tmp_path / "shallow.png").write_bytes(encode(gray))
    (tmp_path / "deep.png").write_bytes(encode(gray.astype(np.uint16) * 257))
    floats: list[Any] = []
    for name in ("shallow.png", "deep.png"):
        pixels, scale = read_image(tmp_path / name, image=(1, 12, 16), fit="crop")
        floats.append(normalise(torch.from_numpy(pixels[None]), (0.5,), (0.25,), scale))
    np.testing.assert_allclose(floats[0], floats[1], atol=1e-6)


def test_channels_and_size_are_those_of_the_network(
    tmp_path: Path, make_picture: Picture, encode: Encode
) -> None:
    (tmp_path / "x.png").write_bytes(encode(make_picture(0)))
    assert read_image(tmp_path / "x.png", image=(1, 5, 6), fit="pad")[0].shape == (1, 5, 6)


def test_an_original_keeps_its_size_depth_and_channels(
    tmp_path: Path, make_picture: Picture, encode: Encode
) -> None:
    deep = make_picture(0, 7, 9, 1).astype(np.uint16) * 200
    (tmp_path / "x.png").write_bytes(encode(deep))
    np.testing.assert_array_equal(read_original(tmp_path / "x.png"), deep.transpose(2, 0, 1))


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError) as caught:
        read_image(tmp_path / "none.png", image=(1, 5, 6), fit="pad")
    assert str(caught.value) == (
        f"{tmp_path}/none.png cannot be read (No such file or directory); check the path"
    )
    (tmp_path / "text.png").write_bytes(b"text")
    with pytest.raises(ImageError) as caught:
        read_image(tmp_path / "text.png", image=(1, 5, 6), fit="pad")
    assert str(caught.value) == (
        f"{tmp_path}/text.png is no image striate reads (its first bytes are b'text'); "
        "give another image"
    )


def test_strings_are_two_arrays() -> None:
    words = ["", "cat/1.png", "naïve", "caf\udce9", ""]
    packed = Strings.of(words)
    assert [packed[i] for i in range(len(packed))] == words
    assert not packed.data.dtype.hasobject
    assert len(Strings.of([])) == 0
