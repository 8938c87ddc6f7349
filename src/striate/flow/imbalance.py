"""Classes of unequal size, in a sentence: what it does to a training, and what is done about it."""

from __future__ import annotations

import numpy as np

from striate.data import Dataset
from striate.training import Recipe

UNEVEN = 3.0
"""From this many images of the commonest class to one of the rarest, it is said."""


def imbalance_said(recipe: Recipe, dataset: Dataset) -> tuple[str, ...]:
    """A sentence where the training classes are uneven, or the recipe evens them out."""
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.classes))
    there = np.flatnonzero(counts)
    few, many = there[counts[there].argmin()], there[counts[there].argmax()]
    ratio = counts[many] / counts[few]
    sizes = (
        f"{counts[many]:,} training images of {dataset.classes[many]}, {counts[few]:,} of "
        f"{dataset.classes[few]}"
    )
    if recipe.sampling == "balanced":
        often = -(-len(dataset.train) // len(there)) / counts[few]
        said = (
            f"Every class is shown as often as any other ({sizes}): an image of "
            f"{dataset.classes[few]} comes {often:.3g} times an epoch, changed anew each time."
        )
        return (said,)
    if recipe.class_weights != "none":
        return (f"In the loss classes are weighed by class_weights ({sizes}).",)
    if ratio < UNEVEN:
        return ()
    said = (
        f"The classes are uneven ({sizes}), and the network will lean to the common ones; where "
        "the rare ones count as much, say --set sampling=balanced or --set class_weights=balanced."
    )
    return (said,)
