"""Linear probes: what could be said, at each point, by a linear classifier alone?

Alain and Bengio 2016, "Understanding intermediate layers using linear classifier probes".  At each
point that everything passes, the mean over positions of every channel, standardised, is given to a
multinomial logistic regression, fitted on training images and measured on others.

Comes in: a module, images and labels to fit on and to measure on.  Goes out: ``Probes``.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate import keyed
from striate.errors import InputError
from striate.records import Check, Evidence
from striate.records.stream import Probes
from striate.seeing.frozen_batches import graphs, held, labelled, said
from striate.seeing.frozen_evidence import measured, none, or_why_not
from striate.seeing.frozen_points import Point, points_of
from striate.seeing.subject import Images, Subject, Tick

TITLE = "What a linear classifier could say at each layer"
NO_TRAINING = (
    "A probe is fitted on training images, and none are at hand for a network without its run."
)
TRAINED_ON = 512
DEVIATIONS = 4.0

Rows = NDArray[np.float64]


def linear_probes(
    module: nn.Module,
    train: tuple[Tensor, Tensor | NDArray[np.int64]],
    test: tuple[Tensor, Tensor | NDArray[np.int64]],
    *,
    strength: float = 1.0,
    steps: int = 200,
    batch: int = 32,
) -> Probes:
    """Accuracy on ``test`` of a probe fitted on ``train``, both (images, labels), at every point.

    ``strength``: the inverse of the penalty on the weights; ``steps``: of the fit, at most.
    InputError where the training labels hold less than two classes.
    """
    points, known, _ = _rows(module, train[0], batch)
    _, asked, says = _rows(module, test[0], batch)
    learned, right = labelled(*train), labelled(*test)
    if len(np.unique(learned)) < 2:
        raise InputError("a probe is fitted on two classes or more; the labels hold one")
    fitted = [
        _fitted(rows, learned, strength=strength, steps=steps, asked=[rows, others])
        for rows, others in zip(known, asked, strict=True)
    ]
    commonest = np.bincount(learned).argmax()
    return Probes(
        names=tuple(point.name for point in points),
        depths=np.array([point.depth for point in points], np.int64),
        accuracy=np.array([(guesses[1] == right).mean() for guesses, _ in fitted]),
        train_accuracy=np.array([(guesses[0] == learned).mean() for guesses, _ in fitted]),
        converged=np.array([done for _, done in fitted]),
        baseline=float((right == commonest).mean()),
        whole=float((says == right).mean()),
        trained_on=len(learned),
        images=len(right),
    )


def _rows(
    module: nn.Module, images: Tensor, batch: int
) -> tuple[tuple[Point, ...], list[Rows], NDArray[np.int64]]:
    """The points, (N, channels) at each, and what the network says."""
    points: tuple[Point, ...] = ()
    parts: list[list[Rows]] = []
    says: list[NDArray[np.int64]] = []
    for _, graph in graphs(module, images, batch):
        points = points_of(graph)
        parts.append(
            [held(graph, p.value, p.name).double().mean(dim=1).cpu().numpy() for p in points]
        )
        says.append(said(graph.logits))
    return points, [np.concatenate(rows) for rows in zip(*parts, strict=True)], np.concatenate(says)


def _fitted(
    rows: Rows, labels: NDArray[np.int64], *, strength: float, steps: int, asked: list[Rows]
) -> tuple[list[NDArray[np.int64]], bool]:
    """What a probe says of each of ``asked``, and whether its fit came to its end."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    middle, spread = rows.mean(axis=0), rows.std(axis=0)
    spread = np.where(spread > 1e-12 * np.abs(middle).max(initial=1e-300), spread, 1.0)
    probe: Any = LogisticRegression(C=strength, max_iter=steps)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", ConvergenceWarning)
        probe.fit((rows - middle) / spread, labels)
    guesses = [np.asarray(probe.predict((some - middle) / spread), np.int64) for some in asked]
    return guesses, not any(issubclass(w.category, ConvergenceWarning) for w in heard)


def probed(subject: Subject, tick: Tick) -> Evidence:
    """Evidence ``depth.probes``: ``accuracy``, and ``before``, with random weights (points,).

    Withheld where probes fitted on shuffled labels do better than chance: they would say more of
    the probe than of the layer.
    """
    tick(0, 1)
    if (train := subject.train) is None:
        return none("depth.probes", TITLE, NO_TRAINING)
    return or_why_not("depth.probes", TITLE, lambda: _probed(subject, train))


def _probed(subject: Subject, train: Images) -> Evidence:
    inputs, right = measured(subject)
    places = np.arange(min(TRAINED_ON, len(train.labels)), dtype=np.int64)
    pixels = torch.as_tensor(train.pixels(places)).to(inputs.device)
    given, learned = subject.preprocessing(pixels), train.labels[places]
    found = linear_probes(subject.module, (given, learned), (inputs, right))
    before = linear_probes(subject.random(0), (given, learned), (inputs, right))
    mixed = learned[keyed.bits(0, "seeing.probes", places).argsort()]
    chance = linear_probes(subject.module, (given, mixed), (inputs, right))
    share = chance.baseline
    limit = share + DEVIATIONS * float(np.sqrt(share * (1 - share) / len(right)))
    best = float(np.median(chance.accuracy))
    return Evidence(
        name="depth.probes",
        title=TITLE,
        arrays={"accuracy": found.accuracy, "before": before.accuracy, "depths": found.depths},
        facts={
            "names": list(found.names),
            "rises_until": found.names[found.rises_until],
            "whole": found.whole,
            "baseline": found.baseline,
            "converged": int(found.converged.sum()),
            "trained_on": found.trained_on,
            "images": found.images,
            "split": subject.images.name,
        },
        checks=(
            Check(
                name="shuffled labels",
                claim="Median accuracy, over the layers, of probes fitted on shuffled labels",
                value=best,
                limit=limit,
                passed=best <= limit,
            ),
        ),
    )
