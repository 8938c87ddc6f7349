"""Map sizes against counted windows, receptive fields against published ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.arch import adapt, field_sizes, from_dict, least_image, map_sizes, zoo
from striate.arch.sizes import Window
from striate.errors import ArchError


def plain(depth: int, **keys: Any) -> Any:
    return from_dict(
        {
            "name": "n",
            "image": [3, 224, 224],
            "classes": 2,
            "stages": [{"block": "conv", "depth": depth, "width": 4, **keys}],
        }
    )


@given(
    size=st.integers(1, 60),
    kernel=st.integers(1, 9),
    stride=st.integers(1, 5),
    padding=st.integers(0, 5),
    dilation=st.integers(1, 4),
)
def test_positions_are_as_many_as_can_be_counted(
    size: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    positions = 0
    while positions * stride + dilation * (kernel - 1) < size + 2 * padding:
        positions += 1
    assert max(0, Window(kernel, stride, padding, dilation).out(size)) == positions


def test_the_chapters_sizes() -> None:
    assert map_sizes(plain(1))[-1] == (224, 224)
    assert map_sizes(plain(1, stride=2))[-1] == (112, 112)
    stem_and_stages = [224, *(side for side, _ in map_sizes(zoo("vgg16"))[1:])]
    assert stem_and_stages == [224, 112, 56, 28, 14, 7]


def test_sizes_follow_the_image_given() -> None:
    assert map_sizes(zoo("resnet50"), (3, 64, 96)) == map_sizes(zoo("resnet50"), (64, 96))
    assert map_sizes(zoo("resnet50"), (64, 96))[-1] == (2, 3)


def test_a_dense_stage_has_one_position() -> None:
    assert map_sizes(zoo("mlp")) == [(224, 224), (1, 1)]
    assert field_sizes(zoo("mlp")) == [(1, 1)]


def test_two_convolutions_for_each_plain_block() -> None:
    arch = from_dict(
        {
            "name": "n",
            "image": [3, 32, 32],
            "classes": 2,
            "stages": [
                {"block": "basic", "depth": 3, "width": 4, "skip": False, "padding": 0},
                {"block": "bottleneck", "depth": 3, "width": 4, "skip": False, "padding": 0},
            ],
        }
    )
    assert map_sizes(arch) == [(32, 32), (20, 20), (14, 14)]


def test_where_the_map_vanishes_is_named_with_the_mend() -> None:
    with pytest.raises(ArchError) as caught:
        map_sizes(zoo("vgg16"), (31, 40))
    assert str(caught.value) == (
        "vgg16: stage 5 would make a 0x1 map from 1x2; "
        "use an image of at least 32x32, or less stride before it"
    )
    assert least_image(zoo("vgg16")) == 32
    assert map_sizes(zoo("vgg16"), (32, 32))[-1] == (1, 1)


def test_the_stem_is_named_too() -> None:
    data = {
        "name": "n",
        "image": [1, 6, 6],
        "classes": 2,
        "stem": {"width": 4, "kernel": 7, "padding": 0},
        "stages": [{"block": "conv", "depth": 1, "width": 4}],
    }
    with pytest.raises(ArchError) as caught:
        from_dict(data)
    assert str(caught.value) == (
        "arch: the stem would make a 0x0 map from 6x6; "
        "use an image of at least 7x7, or less stride before it"
    )


def test_where_no_image_is_large_enough_the_mend_is_another() -> None:
    with pytest.raises(ArchError) as caught:
        plain(5, kernel=65536, stride=65536, padding=0)
    assert str(caught.value) == (
        "arch: stage 1 would make a 0x0 map from 224x224; "
        "give it more padding, a smaller kernel or less stride"
    )


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "vgg16"])
def test_fields_are_the_published_ones(name: str, shared: Path) -> None:
    rows = json.loads((shared / "facts" / "fields.json").read_text())["rows"]
    at = f"{name}_pool" if name == "vgg16" else name  # where a pool follows, it is counted
    assert field_sizes(zoo(name))[-1][0] == rows[at]["size"]


@pytest.mark.parametrize(("depth", "field"), [(1, 3), (2, 5), (10, 21)])
def test_the_chapters_fields(depth: int, field: int) -> None:
    assert field_sizes(plain(depth)) == [(1, 1), (field, 1)]


def test_the_least_image_is_the_least() -> None:
    for name in ("resnet18", "vgg16", "resnet20"):
        least = least_image(zoo(name))
        assert least is not None
        assert adapt(zoo(name), image=(least, least)).image == (3, least, least)
        if least > 1:
            with pytest.raises(ArchError):
                adapt(zoo(name), image=(least - 1, least - 1))
