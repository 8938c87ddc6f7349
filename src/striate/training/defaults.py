"""The default recipe for a data set, and why it is so."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

from striate.data import Dataset
from striate.training.recipe import Recipe

_SGD_NORMS = (
    nn.modules.batchnorm._BatchNorm,  # pyright: ignore[reportPrivateUsage] # the three have no public base
    nn.GroupNorm,
    nn.InstanceNorm2d,
)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the defaults depend on.  ``image``: (C, H, W).  ``normed``: the network has batch or
    group norms.  ``crops``: some images are larger than ``image``.
    """

    train_images: int
    classes: int
    image: tuple[int, int, int]
    normed: bool
    crops: bool = False

    @classmethod
    def of(cls, dataset: Dataset, module: nn.Module) -> Facts:
        """The facts of ``dataset`` and of the network that will be trained on it."""
        return cls(
            train_images=len(dataset.train),
            classes=len(dataset.classes),
            image=dataset.image,
            normed=any(isinstance(part, _SGD_NORMS) for part in module.modules()),
            crops=dataset.crops,
        )


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """A recipe, and a sentence for each choice in it that someone may want to make otherwise."""

    recipe: Recipe
    reasons: tuple[str, ...]


def default_recipe(facts: Facts) -> Defaults:
    """The recipe that ``fit`` takes when nothing is asked for; a pure function."""
    channels, height, width = facts.image
    side = min(height, width)
    colour = channels == 3
    batch = _batch_size(facts.train_images)
    epochs = _epochs(facts.train_images)
    translate = max(1, side // 8) if side >= 8 else 0
    optimiser = "sgd" if facts.normed else "adamw"
    lr = 0.1 * batch / 128 if facts.normed else 1e-3
    recipe = Recipe().with_(
        {
            "epochs": epochs,
            "batch_size": batch,
            "optimiser": optimiser,
            "lr": lr,
            "weight_decay": 5e-4 if facts.normed else 0.05,
            "label_smoothing": 0.05,
            "clip": None if facts.normed else 1.0,
            "ema": 0.99,
            "augment.flip": colour,
            "augment.translate": 0 if facts.crops else translate,
            "augment.crop": facts.crops,
        }
    )
    return Defaults(recipe=recipe, reasons=())


def _batch_size(images: int) -> int:
    """The power of two from 8 to 128 that comes nearest to 20 steps an epoch."""
    return min(128, max(8, 2 ** round(math.log2(max(1, images / 20)))))


def _epochs(images: int) -> int:
    """30 at 50,000 images, and more for fewer as their fifth root: 62 at 1,300, 16 at 1.3 M."""
    return max(1, round(30 * (50_000 / max(1, images)) ** 0.2))
