"""Selectivity by hand, patches of a planted feature, and pictures that beat nature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from striate.building import build
from striate.seeing.looking import subject_of
from striate.seeing.patches import patches
from striate.seeing.peaks import peaks
from striate.seeing.selectivity import DIRECTIONS, PHASES, class_selectivity, oriented, selectivity
from striate.seeing.subject import Subject
from striate.tracing import trace


def quiet(done: int, total: int) -> None:
    del done, total


def subject(case, **changes) -> Subject:
    made = subject_of(case.module, case.images, case.preprocessing, case.evaluation, seed=3)
    return replace(made, trace=trace(case.module, (1, 12, 12)), **changes)


def test_class_selectivity_by_hand() -> None:
    classes = np.array([0, 0, 1, 1, 2, 2])
    activity = np.array([[3.0, 1, 5], [3, 2, 5], [0, 1, 5], [0, 2, 5], [0, 1, 5], [0, 2, 5]])
    found = class_selectivity(activity, classes)
    # One class alone; all alike; never changing.
    assert found[:2] == pytest.approx([1, 0])
    assert np.isnan(found[2])
    # Means 4, 2 and 0: (4 - 1) / (4 + 1).
    graded = class_selectivity(np.array([[4.0], [4], [2], [2], [0], [0]]), classes)
    assert graded == pytest.approx([3 / 5])


def test_orientation_selectivity_by_hand() -> None:
    angles = np.arange(DIRECTIONS) * np.pi / DIRECTIONS
    answers = np.zeros((2, DIRECTIONS, PHASES, 3))
    answers[1, 3, :, 0] = 1  # one direction, at the second frequency
    answers[0, :, :, 1] = 1  # any direction, at the first
    answers[1, :, :, 2] = (1 + np.cos(2 * angles))[:, None]
    found, frequency = oriented(answers, np.array([0.1, 0.2]))
    assert found == pytest.approx([1, 0, 0.5], abs=1e-9)
    assert frequency == pytest.approx([0.2, 0.1, 0.2])


def test_a_learned_network_is_more_selective_than_before(trained) -> None:
    (piece,) = selectivity(subject(trained), quiet)
    assert not piece.withheld
    last = piece.facts["layers"][-1]
    assert last["after"]["class"] > last["before"]["class"]
    # Its task is the direction of gratings.
    assert last["after"]["orientation"] > last["before"]["orientation"]


def test_patches_are_what_the_channel_saw(trained) -> None:
    pieces = patches(subject(trained), quiet)
    assert [piece.name for piece in pieces] == ["patches.stages.0", "patches.stages.1"]
    first = pieces[0]
    assert not first.withheld, [(c.name, c.value) for c in first.checks]
    channel = first.facts["drawn"][0]
    with torch.no_grad():
        inputs = trained.preprocessing(torch.as_tensor(trained.images.array))
        maps = trained.module.stage_maps(inputs)["stages.0"][:, channel]
    best = maps.flatten(1).max(dim=1)[0]
    expected = best.argsort(descending=True, stable=True)[: len(first.arrays["indices"][0])]
    np.testing.assert_array_equal(first.arrays["indices"][0], expected.numpy())
    np.testing.assert_allclose(first.arrays["values"][0], best[expected].numpy(), rtol=1e-5)
    # Selective channels of a late layer: their favourites are of one class.
    assert pieces[1].facts["purity"][0] == 1


def test_a_box_that_is_too_small_is_caught(trained) -> None:
    narrow = build(
        trained.module.arch.model_copy(
            update={"stem": trained.module.arch.stem.model_copy(update={"kernel": 1})}
        )
    )
    wrong = replace(subject(trained), trace=trace(narrow, (1, 12, 12)))
    assert any(piece.withheld for piece in patches(wrong, quiet))


def test_favourites_from_before_training_are_left_out(fresh_case, arch) -> None:
    for piece in patches(subject(fresh_case(build(arch, seed=3))), quiet):
        assert piece.withheld
        assert piece.facts["left_out"] == piece.facts["channels"]


def test_made_pictures_are_pixels_that_beat_real_images(trained) -> None:
    (piece,) = peaks(subject(trained), quiet)
    assert not piece.withheld
    made = piece.arrays["made"]
    assert made.dtype == np.uint8
    kept = [trained.preprocessing.classes.index(name) for name in piece.facts["classes"]]
    with torch.no_grad():
        logits = trained.module(trained.preprocessing(torch.as_tensor(made)))
        real = trained.module(trained.preprocessing(torch.as_tensor(trained.images.array)))
    own = logits[range(len(kept)), kept]
    torch.testing.assert_close(own.double(), torch.as_tensor(piece.arrays["made_logits"]))
    assert (own >= real.max(dim=0)[0][kept]).all()
