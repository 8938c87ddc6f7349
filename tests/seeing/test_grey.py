"""The grey mapping is stated, and can be undone by what it states."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from striate.errors import InputError
from striate.seeing import to_grey


@given(hnp.arrays(np.float64, (3, 4), elements=st.floats(-1e30, 1e30)))
@example(np.full((3, 4), 5e-324))
@example(np.full((3, 4), -3e-306))
def test_the_stated_mapping_undoes_it(values: np.ndarray) -> None:
    grey = to_grey(values)
    back = (grey.pixels.astype(float) - grey.zero) * grey.scale
    slack = grey.scale * (0.5 + 1e-9)
    assert (np.abs(back - values) <= slack).all()
    assert (grey.pixels[values == 0] == grey.zero).all()


def test_signed_maps_are_symmetric() -> None:
    grey = to_grey(np.array([[-4.0, 0.0, 4.0]]))
    assert grey.pixels.tolist() == [[1, 128, 255]]
    assert grey.zero == 128
    assert grey.sentence.startswith("grey 128 is 0, one grey level is 0.0315: from -4 (black) to 4")


def test_maps_without_negatives_start_at_black() -> None:
    grey = to_grey(np.array([[0, 51, 255]]))
    assert grey.pixels.tolist() == [[0, 51, 255]]
    assert (grey.zero, grey.scale) == (0, 1.0)
    assert grey.sentence == "black is 0, one grey level is 1: white is 255"


def test_a_map_of_zeros_is_black() -> None:
    grey = to_grey(np.zeros((2, 2)))
    assert (grey.pixels == 0).all()
    assert grey.scale == 1.0


def test_nan_has_no_grey() -> None:
    with pytest.raises(InputError, match="NaN or infinity, which have no grey"):
        to_grey(np.array([0.0, np.nan]))
