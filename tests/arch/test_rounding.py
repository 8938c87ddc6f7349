"""Widths and depths times a factor, against the published networks and the rule's own words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.arch import round_channels, round_depth, scaled, zoo
from striate.errors import ArchError

#          width  depth  image  dropout: the coefficients of the authors' code
PUBLISHED = (
    (1.0, 1.0, 224, 0.2),
    (1.0, 1.1, 240, 0.2),
    (1.1, 1.2, 260, 0.3),
    (1.2, 1.4, 300, 0.3),
    (1.4, 1.8, 380, 0.4),
    (1.6, 2.2, 456, 0.4),
    (1.8, 2.6, 528, 0.5),
    (2.0, 3.1, 600, 0.5),
)


@pytest.mark.parametrize("phi", range(8))
def test_the_published_family_is_b0_scaled(phi: int) -> None:
    width, depth, image, dropout = PUBLISHED[phi]
    name = f"efficientnet_b{phi}"
    made = scaled(
        zoo("efficientnet_b0"),
        name=name,
        width=width,
        depth=depth,
        image=(image, image),
        dropout=dropout,
    )
    assert made == zoo(name)


@given(st.floats(1, 5000), st.sampled_from([1, 4, 8, 16]))
def test_channels_are_a_near_multiple(channels: float, divisor: int) -> None:
    rounded = round_channels(channels, divisor=divisor)
    assert rounded % divisor == 0
    assert rounded >= 0.9 * channels
    assert rounded == divisor or rounded <= channels + divisor


@given(st.floats(0.01, 200))
def test_depths_are_rounded_up(depth: float) -> None:
    assert depth <= round_depth(depth) < depth + 1 or round_depth(depth) == 1


def test_widths_keep_what_groups_and_heads_need() -> None:
    thin = scaled(zoo("resnext50_32x4d"), name="thin", width=0.3, divisor=1)
    assert all(stage.inner % 32 == 0 for stage in thin.stages)
    wide = scaled(zoo("vit_small_patch16"), name="wide", width=1.3)
    assert wide.stages[0].width == 64 * wide.stages[0].heads == 512


def test_a_network_that_cannot_be_built_is_refused() -> None:
    with pytest.raises(ArchError, match="stage 5 would make a 0x0 map"):
        scaled(zoo("vgg16"), name="tiny", image=(16, 16))
