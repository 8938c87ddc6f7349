"""What is computed for the page from an Evaluation: records first, drawn elsewhere.

Comes in: arrays and counts.  Goes out: frozen records of plain numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from striate.records import Evaluation


def wilson(right: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927): stays inside 0…1, right for small counts.

    >>> [round(end, 4) for end in wilson(81, 263)]
    [0.2553, 0.3662]
    """
    if total == 0:
        return 0.0, 1.0
    share = right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    half /= 1 + z * z / total
    low = 0.0 if right == 0 else float(middle - half)
    high = 1.0 if right == total else float(middle + half)
    return low, high


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Predictions whose confidence lies in (``low``, ``high``]: how many, how sure, how right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(evaluation: Evaluation, bins: int = 15) -> list[Bin]:
    """Equal-width bins of top-1 confidence, empty ones left out (Guo et al. 2017, eq. 1 and 2)."""
    confidence = evaluation.probabilities.max(axis=1).astype(np.float64)
    right = evaluation.probabilities.argmax(axis=1) == evaluation.labels
    found: list[Bin] = []
    for low, high in pairwise(np.linspace(0, 1, bins + 1).tolist()):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            found.append(
                Bin(
                    low=low,
                    high=high,
                    count=int(inside.sum()),
                    confidence=float(confidence[inside].mean()),
                    accuracy=float(right[inside].mean()),
                )
            )
    return found


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """One class on one split: ``right`` of ``total`` (its recall), and how often it was said."""

    index: int
    name: str
    right: int
    total: int
    said: int

    @property
    def accuracy(self) -> float:
        return self.right / self.total if self.total else 0.0


def class_scores(evaluation: Evaluation) -> list[ClassScore]:
    """Every class in its numbering, those without images included."""
    confusion = evaluation.confusion
    return [
        ClassScore(
            index=index,
            name=name,
            right=int(confusion[index, index]),
            total=int(confusion[index].sum()),
            said=int(confusion[:, index].sum()),
        )
        for index, name in enumerate(evaluation.classes)
    ]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """``count`` images of class ``true`` were called ``said``; ``share`` of all images of it."""

    true: str
    said: str
    count: int
    share: float


def confused_pairs(evaluation: Evaluation, most: int) -> list[Pair]:
    """The most frequent confusions, by count, then by share of the true class."""
    confusion = evaluation.confusion
    totals = np.maximum(confusion.sum(axis=1), 1)
    pairs = [
        Pair(
            true=evaluation.classes[t],
            said=evaluation.classes[s],
            count=int(confusion[t, s]),
            share=float(confusion[t, s] / totals[t]),
        )
        for t, s in np.argwhere(confusion).tolist()
        if t != s
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share, pair.true, pair.said))[:most]


def class_order(confusion: NDArray[np.int64]) -> list[int]:
    """Classes so that those confused with each other stand together.

    They are sorted by the Fiedler vector of the graph whose edges are the confusions in both
    directions (Fiedler 1973): the order that keeps strong edges short, in the least-squares sense.
    """
    graph = confusion.astype(np.float64)
    np.fill_diagonal(graph, 0)
    graph = graph + graph.T
    # A whisper of an edge between all classes keeps the graph connected.
    graph += 1e-3 * (graph.sum() + 1) / graph.size
    np.fill_diagonal(graph, 0)
    laplacian = np.diag(graph.sum(axis=1)) - graph
    _, vectors = np.linalg.eigh(laplacian)
    fiedler = vectors[:, 1] if len(graph) > 1 else np.zeros(1)
    # The sign of an eigenvector is free: class 0 goes into the first half.
    if fiedler[0] > 0:
        fiedler = -fiedler
    return [int(index) for index in np.argsort(fiedler, kind="stable")]


def commonest_share(evaluation: Evaluation) -> float:
    """What always naming the split's commonest class would score."""
    totals = evaluation.confusion.sum(axis=1)
    return float(totals.max() / max(totals.sum(), 1))
