"""Accuracy by what an image is like, whatever it shows: brightness, contrast, detail.

The images of a split are cut into thirds by each measure.  Whether a third differs by more than
chance is asked by shuffling the measure among the images of each class: so a class that is darker
and harder than others does not make darkness look hard.

Comes in: a Subject.  Goes out: Evidence ``slices`` with ``edges`` (measures, 2) and facts
``measures``, for each its thirds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from striate import keyed
from striate.records import Check, Evidence
from striate.seeing.subject import Subject, Tick

TITLE = "Accuracy by what an image is like"
SHUFFLES = 999
UNLIKELY = 0.01
FEWEST = 30
BATCH = 512
MOST_APART = 1e-9
_MEASURES = {
    "brightness": ("dark", "middling", "bright"),
    "contrast": ("flat", "middling", "contrasty"),
    "detail": ("smooth", "middling", "detailed"),
}


def slices(subject: Subject, tick: Tick) -> list[Evidence]:
    """One piece.  Brightness: mean; contrast: deviation; detail: mean step between neighbours."""
    count = len(subject.said)
    if count < FEWEST:
        return [
            Evidence(
                name="slices",
                title=TITLE,
                inapplicable=f"The {subject.images.name} split has {count} images; thirds of fewer "
                f"than {FEWEST} say nothing.",
            )
        ]
    found = _measured(subject, tick)
    labels = subject.evaluation.labels
    right = (subject.said == labels).astype(np.float64)
    rows: list[dict[str, object]] = []
    missed = 0.0
    for number, (name, thirds) in enumerate(_MEASURES.items()):
        values = found[:, number]
        third = _thirds(values)
        hits = np.bincount(third, weights=right, minlength=3)
        sizes = np.bincount(third, minlength=3)
        missed = max(missed, abs(float(hits.sum() - right.sum())))
        spread = _spread(right, third)
        rows.append(
            {
                "name": name,
                "thirds": [
                    {"name": word, "right": int(hits[at]), "images": int(sizes[at])}
                    for at, word in enumerate(thirds)
                ],
                "spread": spread,
                "chance": _chance(right, third, labels, spread, number),
                "edges": np.quantile(values, [1 / 3, 2 / 3]).tolist(),
            }
        )
    return [
        Evidence(
            name="slices",
            title=TITLE,
            arrays={"edges": np.array([row["edges"] for row in rows])},
            facts={
                "measures": rows,
                "images": count,
                "split": subject.images.name,
                "shuffles": SHUFFLES,
                "unlikely": UNLIKELY,
                "whole": float(right.mean()),
            },
            checks=(
                Check(
                    name="parts",
                    claim="Difference between the right answers of three thirds and those of the "
                    "whole split",
                    value=missed,
                    limit=MOST_APART,
                    passed=missed <= MOST_APART,
                ),
            ),
        )
    ]


def _measured(subject: Subject, tick: Tick) -> NDArray[np.float64]:
    """(N, 3) brightness, contrast and detail of each image, in shares of the pixel range."""
    count = len(subject.said)
    parts: list[NDArray[np.float64]] = []
    for start in range(0, count, BATCH):
        tick(start, count)
        some = np.arange(start, min(start + BATCH, count), dtype=np.int64)
        pixels = np.asarray(subject.images.pixels(some), np.float64) / subject.preprocessing.scale
        grey = pixels.mean(axis=1)
        steps = [
            np.abs(np.diff(grey, axis=axis)).mean(axis=(1, 2))
            if grey.shape[axis] > 1
            else np.zeros(len(grey))
            for axis in (1, 2)
        ]
        parts.append(
            np.stack(
                [grey.mean(axis=(1, 2)), grey.std(axis=(1, 2)), (steps[0] + steps[1]) / 2], axis=1
            )
        )
    return np.concatenate(parts)


def _thirds(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) 0, 1 or 2: by rank, so that each holds a third; ties in order of the split."""
    ranks = np.empty(len(values), np.int64)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return 3 * ranks // len(values)


def _spread(right: NDArray[np.float64], third: NDArray[np.int64]) -> float:
    """The greatest accuracy of a third less the least."""
    shares = np.bincount(third, weights=right, minlength=3) / np.bincount(third, minlength=3)
    return float(shares.max() - shares.min())


def _chance(
    right: NDArray[np.float64],
    third: NDArray[np.int64],
    labels: NDArray[np.int64],
    spread: float,
    number: int,
) -> float:
    """Share of shuffles within classes, and of what was found, with as great a spread."""
    order = np.argsort(labels, kind="stable")
    known, places = labels[order], third[order]
    answers = right[order]
    as_great = 1
    for turn in range(SHUFFLES):
        noise = keyed.uniform(turn, "seeing.slices", number, np.arange(len(labels)))
        mixed = places[np.lexsort((noise, known))]
        as_great += _spread(answers, mixed) >= spread - 1e-12
    return as_great / (SHUFFLES + 1)
