"""Errors and trust: each rule against a brute-force one, and against what was planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from striate.records import Evaluation
from striate.runs.evaluate import evaluation_of
from striate.seeing.confusions import confusions
from striate.seeing.features import features_of
from striate.seeing.labels import doubtful, held_out, labels
from striate.seeing.looking import subject_of
from striate.seeing.slices import slices
from striate.seeing.subject import Subject
from striate.seeing.typical import distances_of, typical


def _quiet(_done: int, _total: int) -> None:
    """Nobody looks on."""


def _said(says: np.ndarray, truth: np.ndarray, classes: tuple[str, ...]) -> Evaluation:
    """An evaluation in which each image is given ``says`` with 0.9."""
    probabilities = np.full((len(says), len(classes)), 0.1 / (len(classes) - 1))
    probabilities[np.arange(len(says)), says] = 0.9
    return evaluation_of(np.log(probabilities), truth, split="test", classes=classes)


@pytest.fixture
def subject(trained) -> Subject:
    return subject_of(
        trained.module,
        trained.images,
        trained.preprocessing,
        trained.evaluation,
        start=lambda: trained.module,
    )


def relabelled(subject: Subject, changed: np.ndarray) -> Subject:
    """The same network and images, with other labels."""
    logs = np.log(np.maximum(subject.evaluation.probabilities, 1e-12))
    images = replace(subject.images, labels=changed)
    evaluation = evaluation_of(logs, changed, split="test", classes=subject.evaluation.classes)
    return replace(subject, images=images, evaluation=evaluation)


def test_confident_learning_is_its_definition() -> None:
    rng = np.random.default_rng(0)
    given = rng.integers(0, 4, 200)
    logits = rng.normal(size=(200, 4)) + 2 * np.eye(4)[given]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    seems, margins = doubtful(probabilities, given)
    thresholds = [probabilities[given == j, j].mean() for j in range(4)]
    for row, label, found, margin in zip(probabilities, given, seems, margins, strict=True):
        over = [j for j in range(4) if row[j] >= thresholds[j]]
        assert found == (max(over, key=lambda j: row[j]) if over else -1)
        assert margin == pytest.approx(row[label] - max(row[j] for j in range(4) if j != label))
    assert 0 < (seems != given).sum() < 200


def test_a_class_without_images_is_nobodys_true_class() -> None:
    probabilities = np.array([[0.2, 0.1, 0.7], [0.6, 0.3, 0.1], [0.3, 0.6, 0.1]])
    seems, _ = doubtful(probabilities, np.array([0, 0, 1]))
    assert 2 not in seems


def test_planted_wrong_labels_are_found_first(subject: Subject) -> None:
    planted = np.flatnonzero(subject.said == subject.images.labels)[5:45:4]
    changed = subject.images.labels.copy()
    changed[planted] = (changed[planted] + 1) % 4
    piece = labels(relabelled(subject, changed), _quiet)[0]
    assert piece.name == "labels.test"
    first = set(piece.arrays["indices"][: len(planted)].tolist())
    # the network errs on some images, and is sure of it: those come before the last of them
    assert len(first & set(planted.tolist())) >= 8
    assert not piece.withheld
    hit = np.isin(piece.arrays["indices"], planted)
    seems = piece.arrays["seems"][hit]
    assert (seems == subject.images.labels[piece.arrays["indices"][hit]]).all()


def test_a_network_that_knows_nothing_doubts_no_label(subject: Subject) -> None:
    noise = np.random.default_rng(0).dirichlet(np.ones(4), len(subject.said))
    evaluation = evaluation_of(
        np.log(noise), subject.images.labels, split="test", classes=subject.evaluation.classes
    )
    piece = labels(replace(subject, evaluation=evaluation), _quiet)[0]
    assert piece.withheld
    assert piece.checks[0].name == "planted"
    assert piece.checks[0].value < 0.7


def test_of_training_images_a_held_out_probe_decides(subject: Subject) -> None:
    planted = np.arange(3, 60, 7)
    changed = subject.images.labels.copy()
    changed[planted] = (changed[planted] + 2) % 4
    train = replace(subject.images, labels=changed, name="train")
    piece = labels(replace(subject, train=train), _quiet)[1]
    assert piece.name == "labels.train"
    found = piece.arrays["indices"][: len(planted)].tolist()
    assert len(set(found) & set(planted.tolist())) >= len(planted) - 2
    none = labels(subject, _quiet)[1]
    assert none.inapplicable == "No training images are at hand for a network without its run."


def test_a_held_out_probe_has_not_seen_the_label() -> None:
    rng = np.random.default_rng(0)
    rows, given = rng.normal(size=(300, 100)), rng.integers(0, 3, 300)
    said = held_out(rows, given, 3).argmax(axis=1)
    # fitted on all of them a linear classifier of 100 features would know most of 300 labels
    assert (said == given).mean() < 0.45


def test_distances_are_to_the_mean_of_the_others() -> None:
    rng = np.random.default_rng(0)
    rows, given = rng.normal(size=(40, 5)), rng.integers(0, 3, 40)
    among = rng.random(40) < 0.5
    found = distances_of(rows, given, among)
    for at in range(40):
        others = [i for i in range(40) if given[i] == given[at] and among[i] and i != at]
        assert found[at] == pytest.approx(np.linalg.norm(rows[at] - rows[others].mean(axis=0)))


def test_the_least_typical_is_the_one_of_another_kind(subject: Subject) -> None:
    changed = subject.images.labels.copy()
    changed[11] = (changed[11] + 1) % 4
    (piece,) = typical(relabelled(subject, changed), _quiet)
    assert not piece.withheld
    assert 11 in piece.arrays["least_indices"].tolist()
    assert 11 not in piece.arrays["most_indices"].tolist()
    distances = piece.arrays["least_distances"]
    assert (np.diff(distances) <= 0).all()
    assert distances.min() > piece.facts["median"] > piece.arrays["most_distances"].max()


def test_features_are_what_the_last_linear_layer_is_given(subject: Subject) -> None:
    some = np.arange(5)
    found = features_of(subject, subject.images, some)
    last = [part for part in subject.module.modules() if isinstance(part, nn.Linear)][-1]
    seen: list[torch.Tensor] = []
    handle = last.register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
    with torch.no_grad():
        subject.module(subject.inputs(some))
    handle.remove()
    wanted = seen[0].double().flatten(1).numpy()
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert found == pytest.approx(wanted, abs=1e-6)


def test_a_slice_that_is_worse_is_told_from_one_whose_class_is_worse(subject: Subject) -> None:
    truth = subject.images.labels
    bright = np.asarray(subject.images.pixels(np.arange(len(truth))), float).mean(axis=(1, 2, 3))
    dark = bright <= np.quantile(bright, 1 / 3)
    classes = subject.evaluation.classes
    # the dark ones are wrong, whatever their class
    wrong = np.where(dark, (truth + 1) % 4, truth)
    (piece,) = slices(replace(subject, evaluation=_said(wrong, truth, classes)), _quiet)
    row = piece.facts["measures"][0]
    assert row["name"] == "brightness"
    assert row["thirds"][0]["right"] == 0
    assert row["thirds"][2]["right"] == row["thirds"][2]["images"]
    assert row["chance"] == pytest.approx(1 / 1000)
    assert sum(third["images"] for third in row["thirds"]) == len(truth)
    # one class is wrong, whatever its brightness
    (piece,) = slices(
        replace(subject, evaluation=_said(np.where(truth == 0, 1, truth), truth, classes)), _quiet
    )
    assert piece.facts["measures"][0]["chance"] > 0.01


def test_confusions_are_those_of_the_matrix(subject: Subject) -> None:
    truth = subject.images.labels
    said = truth.copy()
    said[np.flatnonzero(truth == 2)[:7]] = 3
    said[np.flatnonzero(truth == 0)[:3]] = 1
    piece = confusions(replace(subject, evaluation=_said(said, truth, subject.evaluation.classes)))
    assert [(one["true"], one["said"], one["count"]) for one in piece.facts["pairs"]] == [
        ("rising", "falling", 7),
        ("level", "upright", 3),
    ]
    assert piece.arrays["pair"].tolist() == [0] * 6 + [1] * 3
    for at, index in enumerate(piece.arrays["indices"].tolist()):
        assert (piece.arrays["images"][at] == subject.images.pixels(np.array([index]))[0]).all()
    # the network itself says something else of them: that is seen
    assert piece.withheld


def test_without_mistakes_and_with_few_images_it_is_said(subject: Subject) -> None:
    truth = subject.images.labels
    perfect = replace(subject, evaluation=_said(truth, truth, subject.evaluation.classes))
    assert "There are none" in (confusions(perfect).inapplicable or "")
    few = replace(subject.images, array=subject.images.array[:9], labels=truth[:9])
    small = replace(
        subject, images=few, evaluation=_said(truth[:9], truth[:9], subject.evaluation.classes)
    )
    for look in (slices, typical, labels):
        why = look(small, _quiet)[0].inapplicable
        assert why is not None
        assert "9 images" in why or "too few" in why
