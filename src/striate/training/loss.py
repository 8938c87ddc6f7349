"""The loss of a batch: cross-entropy with smoothed, mixed and weighted targets.

It is a mean over samples of a number that depends on no other sample of the batch, so that the
parts of a batch can be computed apart and averaged by their sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from striate.data import Batch, Dataset
from striate.errors import RecipeError
from striate.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True, eq=False)
class Loss:
    """``weights`` (classes,) float32 on the recipe's device; None where all classes count alike."""

    smoothing: float
    weights: Tensor | None

    @classmethod
    def of(cls, recipe: Recipe, dataset: Dataset) -> Loss:
        """The recipe's loss; RecipeError where its weights are not for ``dataset``'s classes."""
        weights = class_weights(recipe, dataset)
        return cls(
            smoothing=recipe.label_smoothing,
            weights=None
            if weights is None
            else torch.as_tensor(weights, dtype=torch.float32, device=recipe.device),
        )

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        """The mean over the batch, of ``logits`` (n, classes)."""
        labels = torch.as_tensor(batch.labels).to(logits.device)
        if batch.mixed is None:
            return self._of(logits, labels).mean()
        share = torch.as_tensor(batch.mixed.share).to(logits.device)
        other = torch.as_tensor(batch.mixed.labels).to(logits.device)
        both = share * self._of(logits, labels) + (1 - share) * self._of(logits, other)
        return both.mean()

    def _of(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(n,) each sample's own."""
        each = F.cross_entropy(logits, labels, label_smoothing=self.smoothing, reduction="none")
        return each if self.weights is None else each * self.weights[labels]


def right(logits: Tensor, batch: Batch) -> int:
    """How many of the batch are classified rightly; of a mixed image, by its larger part."""
    labels = batch.labels
    if batch.mixed is not None:
        labels = np.where(batch.mixed.share >= 0.5, labels, batch.mixed.labels)
    return int((logits.detach().argmax(dim=1).cpu() == torch.as_tensor(labels)).sum())


def class_weights(recipe: Recipe, dataset: Dataset) -> NDArray[np.float64] | None:
    """What each class counts (classes,), with a mean of 1 over the training images; None for no
    weights.  ``balanced``: N / (K n) for a class of n of the N images, of K classes that have any.
    """
    asked = recipe.class_weights
    if asked == "none":
        return None
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.classes))
    if asked == "balanced":
        weights = np.where(counts > 0, 1 / np.maximum(counts, 1), 0.0)
    elif len(asked) == len(counts):
        weights = np.array(asked, dtype=np.float64)
    else:
        raise RecipeError(
            f"class_weights has {len(asked)} numbers for {len(counts)} classes; give one for each, "
            "in the order of the classes"
        )
    total = float((weights * counts).sum())
    if not total:
        raise RecipeError("class_weights is 0 for every class that has training images")
    return weights * (counts.sum() / total)
