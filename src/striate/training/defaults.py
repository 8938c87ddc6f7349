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


FEW_IMAGES = 10_000
"""Below this a network of any size learns its training images by heart, and cutout is worth it."""


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
    """The recipe that ``fit`` takes when nothing is asked for; a pure function of ``facts``."""
    side = min(facts.image[1:])
    colour = facts.image[0] == 3
    batch = _batch_size(facts.train_images)
    epochs = _epochs(facts.train_images)
    shift = 0 if facts.crops or side < 8 else side // 8
    cutout = 3 * side // 8 if facts.train_images < FEW_IMAGES and not facts.crops else 0
    recipe = Recipe().with_(
        {
            "epochs": epochs,
            "batch_size": batch,
            **(_sgd(batch) if facts.normed else _adamw()),
            "ema": 0.99,
            "augment.flip": colour,
            "augment.translate": shift,
            "augment.cutout": cutout,
            "augment.crop": facts.crops,
        }
    )
    return Defaults(recipe=recipe, reasons=_reasons(facts, recipe))


def _reasons(facts: Facts, recipe: Recipe) -> tuple[str, ...]:
    length = (
        f"{recipe.epochs} epochs of batches up to {recipe.batch_size}: 30 epochs at 50,000 images, "
        f"and more for fewer as their fifth root; {facts.train_images:,} are trained on."
    )
    if facts.normed:
        optimiser = (
            f"SGD with Nesterov momentum at a rate of {recipe.lr:g} (0.1 for a batch of 128), "
            "since the network has batch or group norms."
        )
    else:
        optimiser = (
            f"AdamW at a rate of {recipe.lr:g} with gradients clipped to length 1, since the "
            "network has no batch or group norm."
        )
    if recipe.augment.flip:
        flip = (
            "Half of the images are mirrored, as suits colour photographs; where left and right "
            "matter, say --no-flip."
        )
    else:
        flip = (
            "No image is mirrored: grayscale images are often characters or scans, where left and "
            "right matter; where they do not, say --flip."
        )
    size = f"{facts.image[1]}x{facts.image[2]}"
    if recipe.augment.crop:
        place = f"Random parts are taken of the images, since some are larger than {size}."
    elif recipe.augment.translate:
        place = f"Images are shifted by up to {recipe.augment.translate} px, an eighth of a side."
    else:
        place = f"Images of {size} are too small to be shifted."
    if recipe.augment.cutout:
        place += (
            f" A square of {recipe.augment.cutout} px, three eighths of a side, is covered, since "
            f"there are fewer than {FEW_IMAGES:,} images to learn from."
        )
    return length, optimiser, flip, place


def _sgd(batch: int) -> dict[str, float | str]:
    """He et al. 2015, section 4.2; the rate follows the batch's square root (Krizhevsky 2014)."""
    return {"optimiser": "sgd", "lr": 0.1 * math.sqrt(batch / 128), "weight_decay": 5e-4}


def _adamw() -> dict[str, float | str]:
    """Rates per parameter, for networks in which no norm keeps activations in their range."""
    return {"optimiser": "adamw", "lr": 5e-4, "weight_decay": 0.05, "clip": 1.0}


def _batch_size(images: int) -> int:
    """The power of two from 8 to 128 that comes nearest to 40 steps an epoch."""
    return min(128, max(8, 2 ** round(math.log2(max(1, images / 40)))))


def _epochs(images: int) -> int:
    """30 at 50,000 images, and more for fewer as their fifth root: 63 at 1,259, 16 at 1.3 M."""
    return max(1, round(30 * (50_000 / max(1, images)) ** 0.2))
