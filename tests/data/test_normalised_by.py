"""Data that are normalised by somebody else's mean and deviation, since weights expect it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from striate.data import DataOptions, open_data
from striate.errors import DataError
from striate.flow.data import kept_data
from striate.runs import RunInfo
from striate.training import Recipe


def test_the_asked_numbers_take_the_place_of_the_datas_own() -> None:
    own = open_data("digits")
    given = open_data("digits", DataOptions(normalise=((0.25,), (0.5,))))
    assert (given.mean, given.std) == ((0.25,), (0.5,))
    assert given.fingerprint == own.fingerprint  # the images are the same
    everything = np.arange(len(given.train))
    assert np.array_equal(given.train.pixels(everything), own.train.pixels(everything))
    assert given.notes[:-1] == own.notes
    assert given.notes[-1] == (
        "Normalised by mean 0.250 and deviation 0.500, which the weights expect, not by their own "
        f"({own.mean[0]:.3f} and {own.std[0]:.3f})."
    )
    same = open_data("digits", DataOptions(normalise=(own.mean, own.std)))
    assert same.notes == own.notes  # there is nothing to say


def test_another_number_of_channels() -> None:
    gray = open_data("digits", DataOptions(normalise=((0.3, 0.4, 0.8), (0.1, 0.2, 0.6))))
    assert gray.mean == pytest.approx((0.5,))
    assert gray.std == pytest.approx((0.3,))
    colour = open_data("digits", DataOptions(image=(3, 8, 8), normalise=((0.3,), (0.1,))))
    assert (colour.mean, colour.std) == ((0.3, 0.3, 0.3), (0.1, 0.1, 0.1))


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ((0.5,), (0.0,)),
        ((0.5,), (-1.0,)),
        ((0.5, 0.5), (1.0,)),
        ((), ()),
        ((float("nan"),), (1.0,)),
    ],
)
def test_numbers_that_cannot_be(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match=r"normalise by mean .* cannot be; use one of each"):
        DataOptions(normalise=(mean, std))


def test_a_runs_options_bring_them_back() -> None:
    options = DataOptions(image=(3, 8, 8), normalise=((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)))
    stored = json.loads(json.dumps({"spec": "digits", "options": asdict(options)}))
    info = RunInfo(network="tiny", data=stored)
    assert kept_data(info, Recipe(), Path("run.json")) == ("digits", options)
    del stored["options"]["normalise"]  # as a run that was made before there was such a thing
    spec, older = kept_data(RunInfo(network="tiny", data=stored), Recipe(), Path("run.json"))
    assert (spec, older) == ("digits", replace(options, normalise=None))
