"""The most and the least typical images of a split, by what the network makes of them.

An image's distance is that of its features, brought to length 1, to the mean of the other images
with its label, as Snell et al. 2017 ("Prototypical networks", equation 1) measure to prototypes.
Half of the images and the other half must agree on who is far, or the order is one of noise.

Comes in: a Subject.  Goes out: Evidence ``typical`` with ``most`` and ``least`` (k, C, H, W), their
``most_indices`` and ``most_distances``, and so for the least.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from striate import keyed
from striate.records import Check, Evidence
from striate.seeing.faithful import likeness
from striate.seeing.features import features_of
from striate.seeing.subject import Subject, Tick

TITLE = "Most and least typical"
MOST = 2048  # images whose features are compared
SHOWN = 7
FEWEST = 4  # images of a class
LEAST_AGREEMENT = 0.5


def typical(subject: Subject, tick: Tick) -> list[Evidence]:
    """One piece; classes of fewer than four images are left out."""
    tick(0, 2)
    labels = subject.evaluation.labels[:MOST]
    counts = np.bincount(labels, minlength=len(subject.preprocessing.classes))
    kept = np.flatnonzero(counts[labels] >= FEWEST)
    if len(kept) < 2 * SHOWN:
        return [
            Evidence(
                name="typical",
                title=TITLE,
                inapplicable=f"Of the {subject.images.name} split {len(kept)} images are of "
                f"classes with {FEWEST} or more; that is too few to say what is typical.",
            )
        ]
    rows = features_of(subject, subject.images, kept)
    tick(1, 2)
    known = labels[kept]
    distances = distances_of(rows, known, np.ones(len(kept), bool))
    half = keyed.uniform(0, "seeing.typical", kept) < 0.5
    agreement = likeness(distances_of(rows, known, half), distances_of(rows, known, ~half))
    order = np.argsort(distances, kind="stable")
    chosen = {"most": order[:SHOWN], "least": order[::-1][:SHOWN]}
    arrays = {
        key: array
        for name, places in chosen.items()
        for key, array in (
            (name, subject.images.pixels(kept[places])),
            (f"{name}_indices", kept[places]),
            (f"{name}_distances", distances[places]),
            (f"{name}_labels", known[places]),
            (f"{name}_said", subject.said[kept[places]]),
        )
    }
    return [
        Evidence(
            name="typical",
            title=TITLE,
            arrays=arrays,
            facts={
                "images": len(kept),
                "split": subject.images.name,
                "median": float(np.median(distances)),
                "paths": {
                    name: subject.images.paths(kept[places]) for name, places in chosen.items()
                },
            },
            checks=(
                Check(
                    name="two halves",
                    claim="Rank correlation of the distances to the class means of two halves of "
                    "the images",
                    value=agreement,
                    limit=LEAST_AGREEMENT,
                    passed=agreement >= LEAST_AGREEMENT,
                ),
            ),
        )
    ]


def distances_of(
    rows: NDArray[np.float64], labels: NDArray[np.int64], among: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(n,) from each row to the mean of the rows of its label in ``among``, itself left out.

    Where none is left, it is the distance to the mean of all of that label.
    """
    found = np.zeros(len(rows))
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        inside = among[own]
        total, size = rows[own][inside].sum(axis=0), int(inside.sum())
        if size == 0 or (size == 1 and inside.any()):
            total, size, inside = rows[own].sum(axis=0), len(own), np.ones(len(own), bool)
        left = size - inside.astype(np.int64)
        means = (total - rows[own] * inside[:, None]) / np.maximum(left, 1)[:, None]
        found[own] = np.linalg.norm(rows[own] - means, axis=1)
    return found
