"""Labels that are likely wrong: confident learning, tried on labels that were made wrong.

Northcutt et al. 2021 ("Confident learning", section 3.1): class j's threshold is the mean
probability of j over the images labelled j; an image belongs to the class, among those whose
threshold it reaches, that it gives most; where that is not its label, the label is in doubt.  The
rule asks for probabilities from a model that did not see the label.  Of the test split the network
is that model.  Of the training split it is not, so a linear classifier on its features is fitted
without each fifth in turn (their cross-validation); the features were trained on the labels all the
same, and what the network learned by heart is not found.

Comes in: a Subject.  Goes out: Evidence ``labels.test`` and ``labels.train`` with ``images``
(k, C, H, W), most doubtful first.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate import keyed
from striate.records import Check, Evidence
from striate.seeing.features import features_of
from striate.seeing.subject import Images, Subject, Tick

TRAINED = 2048  # images of the training split
FOLDS = 5
SHOWN = 12
PLANTED = 0.05
LEAST_FOUND = 0.9
FEWEST = 50
NO_TRAINING = "No training images are at hand for a network without its run."

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def labels(subject: Subject, tick: Tick) -> list[Evidence]:
    """A piece for the test split and one for the training split."""
    tick(0, 3)
    tested = subject.evaluation
    probabilities = tested.probabilities.astype(np.float64)
    every = np.arange(len(tested.labels), dtype=np.int64)
    found = [_piece("test", subject, subject.images, every, tested.labels, lambda _: probabilities)]
    tick(1, 3)
    if (train := subject.train) is None:
        found.append(
            _none("train", "No training images are at hand for a network without its run.")
        )
        return found
    some = np.unique(
        np.linspace(0, len(train.labels) - 1, min(TRAINED, len(train.labels))).round()
    ).astype(np.int64)
    rows = features_of(subject, train, some)
    tick(2, 3)
    count = len(subject.preprocessing.classes)
    found.append(
        _piece(
            "train", subject, train, some, train.labels[some],
            lambda given: held_out(rows, given, count),
        )
    )  # fmt: skip
    return found


def doubtful(probabilities: Floats, labels: Ints) -> tuple[Ints, Floats]:
    """The classes (N,) that images seem to be of, -1 where none is reached, and their margins.

    Margin: the probability of the label less the greatest of another class; the lower, the more
    doubtful.  ``probabilities``: (N, classes); ``labels``: (N,).
    """
    classes = probabilities.shape[1]
    rows = np.arange(len(labels))
    own = probabilities[rows, labels]
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, weights=own, minlength=classes)
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    reached = np.where(probabilities >= thresholds, probabilities, -1.0)
    seems = np.where(reached.max(axis=1) >= 0, reached.argmax(axis=1), -1)
    others = probabilities.copy()
    others[rows, labels] = -np.inf
    return seems.astype(np.int64), own - others.max(axis=1)


def held_out(rows: Floats, labels: Ints, classes: int) -> Floats:
    """(N, classes) probabilities of a linear classifier that was fitted without each row's fold."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    middle, spread = rows.mean(axis=0), rows.std(axis=0)
    scaled = (rows - middle) / np.where(spread > 1e-9, spread, 1.0)
    fold = keyed.bits(0, "seeing.labels.fold", np.arange(len(rows))).argsort().argsort() % FOLDS
    found = np.zeros((len(rows), classes))
    for number in range(FOLDS):
        inside, outside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        known = np.unique(labels[inside])
        if len(known) < 2:
            found[outside[:, None], known] = 1.0
            continue
        probe: Any = LogisticRegression(C=0.1, max_iter=200)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            probe.fit(scaled[inside], labels[inside])
        found[outside[:, None], known] = probe.predict_proba(scaled[outside])
    return found


def _piece(
    name: str,
    subject: Subject,
    images: Images,
    places: Ints,
    given: Ints,
    probabilities: Callable[[Ints], Floats],
) -> Evidence:
    if len(places) < FEWEST:
        return _none(name, f"The {images.name} split has {len(places)} images; thresholds of each "
                     f"class need {FEWEST} or more.")  # fmt: skip
    classes = subject.preprocessing.classes
    found = probabilities(given)
    seems, margins = doubtful(found, given)
    doubt = np.flatnonzero((seems >= 0) & (seems != given))
    order = doubt[np.argsort(margins[doubt], kind="stable")][:SHOWN]
    check, planted = _tried(given, len(classes), probabilities)
    if not len(order):
        return _none(name, f"No label of {len(places)} {images.name} images is in doubt.")
    chosen = places[order]
    return Evidence(
        name=f"labels.{name}",
        title=_title(name),
        arrays={
            "images": images.pixels(chosen),
            "indices": chosen,
            "labels": given[order],
            "seems": seems[order],
            "own": found[order, given[order]],
            "other": found[order, seems[order]],
        },
        facts={
            "total": len(doubt),
            "images": len(places),
            "split": images.name,
            "planted": planted,
            "folds": FOLDS if name == "train" else 0,
            "paths": images.paths(chosen),
        },
        checks=(check,),
    )


def _tried(given: Ints, classes: int, probabilities: Callable[[Ints], Floats]) -> tuple[Check, int]:
    """Labels that are changed on purpose must be more doubtful than the rest: the area under the
    ROC curve of the margin.
    """
    numbers = np.arange(len(given), dtype=np.int64)
    count = max(5, round(PLANTED * len(given)))
    planted = keyed.bits(0, "seeing.labels.planted", numbers).argsort(kind="stable")[:count]
    shift = 1 + keyed.integers(0, "seeing.labels.other", classes - 1, numbers[:count])
    changed = given.copy()
    changed[planted] = (given[planted] + shift) % classes
    _, margins = doubtful(probabilities(changed), changed)
    wrong = np.zeros(len(given), bool)
    wrong[planted] = True
    ranks = margins.argsort(kind="stable").argsort()
    below = float(ranks[wrong].sum() - count * (count - 1) / 2)
    area = 1 - below / (count * (len(given) - count))
    return (
        Check(
            name="planted",
            claim=f"How surely {count} labels that were changed on purpose are told from the rest "
            "(area under the ROC curve)",
            value=area,
            limit=LEAST_FOUND,
            passed=area >= LEAST_FOUND,
        ),
        count,
    )


def _title(name: str) -> str:
    return f"Labels in doubt, {'test' if name == 'test' else 'training'} images"


def _none(name: str, why: str) -> Evidence:
    return Evidence(name=f"labels.{name}", title=_title(name), inapplicable=why)
