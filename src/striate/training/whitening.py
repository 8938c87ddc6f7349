"""A first convolution whose filters whiten the images' patches, from the images alone.

Each filter is an eigenvector of the covariance of the training images' patches, divided by the
square root of its eigenvalue, and comes once with either sign, since an activation drops one of
them (Page 2019, "How to train your ResNet"; Jordan 2024, section 3.2).  The filters are not
trained: they are right before the first step.  Their biases learn in the first steps only, and from
then on nothing has to be known of what lies before the second convolution.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from striate.data import Dataset
from striate.errors import RecipeError
from striate.keyed import order
from striate.runs import Preprocessing, save_weights
from striate.training.recipe import Recipe

IMAGES = 5_000
"""Training images at most that the patches are taken from."""
LEAST = 5e-4
"""Added to every eigenvalue (Jordan 2024, listing): patches hardly vary in the last directions."""

BIAS_LEARNS = 3 / 8
"""The share of the steps in which the biases learn (Jordan 2024, listing)."""


def first_convolution(module: nn.Module) -> tuple[str, nn.Conv2d] | None:
    """The convolution that is registered first, with its path; None where there is none."""
    for path, part in cast("Iterable[tuple[str, nn.Module]]", module.named_modules()):
        if isinstance(part, nn.Conv2d):
            return path, part
    return None


def whitening_problem(module: nn.Module) -> str | None:
    """Why the first convolution of ``module`` cannot whiten; None where it can."""
    found = first_convolution(module)
    if found is None:
        return "the network has no convolution"
    path, conv = found
    height, width = conv.kernel_size
    wanted = 2 * conv.in_channels * height * width
    if conv.groups != 1:
        return f"{path} works in {conv.groups} groups"
    if conv.out_channels != wanted:
        return (
            f"{path} has {conv.out_channels} filters of {conv.in_channels}×{height}×{width}, and "
            f"both signs of every component would be {wanted}"
        )
    return None


def whiten(module: nn.Module, dataset: Dataset, *, seed: int) -> nn.Conv2d:
    """Set the first convolution's filters, in place, from ``dataset``'s training images; it is what
    comes back.

    Which images are looked at is a function of ``seed`` and their ids.  RecipeError where the
    convolution has another number of filters than whitening needs.
    """
    conv = _convolution(module)
    chosen = order(seed, "whiten", dataset.train.ids)[:IMAGES]
    pixels = dataset.train.pixels(np.sort(chosen))
    images = Preprocessing.of(dataset)(torch.as_tensor(pixels))
    filters = whitening_filters(images, conv.kernel_size)
    with torch.no_grad():
        conv.weight.copy_(filters)
        if conv.bias is not None:
            conv.bias.zero_()
    return conv


def whitening_filters(images: Tensor, kernel: tuple[int, ...]) -> Tensor:
    """(N, C, H, W) → (2·C·h·w, C, h, w) float32, for kernels of h × w, the strongest component
    first.

    The sign of each is that which makes its largest weight positive; the second half has the other.
    """
    height, width = kernel
    channels = images.shape[1]
    count = channels * height * width
    total = torch.zeros(count, count, dtype=torch.float64)
    patches = 0
    for start in range(0, len(images), 256):  # of all at once they would be kernel² times as many
        part = images[start : start + 256]
        columns = nn.functional.unfold(part, (height, width)).transpose(1, 2).reshape(-1, count)
        total += (columns.T.double() @ columns.double()).cpu()
        patches += len(columns)
    values, vectors = cast("tuple[Tensor, Tensor]", torch.linalg.eigh(total / patches))
    rows = vectors.T.flip(0)
    rows = rows * rows.gather(1, rows.abs().argmax(dim=1, keepdim=True)).sign()
    rows = rows / (values.flip(0)[:, None] + LEAST).sqrt()
    return torch.cat((rows, -rows)).reshape(2 * count, channels, height, width).float()


@contextmanager
def whitened(
    module: nn.Module, dataset: Dataset, recipe: Recipe, *, keep: Path | None
) -> Generator[None]:
    """Inside, the first convolution whitens and is not trained, if the recipe says so; afterwards
    it can be trained again.

    The weights before step 1, which are then no function of the seed alone, are written to
    ``keep``, if it is given, unless they are there already.
    """
    if not recipe.whiten:
        yield
        return
    weight = whiten(module, dataset, seed=recipe.seed).weight
    if keep is not None and not keep.exists():
        save_weights(keep, module)
    weight.requires_grad_(False)
    try:
        yield
    finally:
        weight.requires_grad_(True)


class Resting:
    """Of a convolution that whitens, the biases: trained in the first steps of a frozen ``recipe``,
    and left alone after them.  A fine-tuning decides for itself what is trained when.
    """

    def __init__(self, module: nn.Module, recipe: Recipe) -> None:
        self._last = round(BIAS_LEARNS * (recipe.steps or 0))
        self._bias: Tensor | None = None
        if recipe.whiten and recipe.finetune is None:
            bias = _convolution(module).bias
            self._bias = bias if bias is not None and bias.requires_grad else None

    def enter(self, step: int) -> None:
        """What is trained at ``step`` (1, 2, …)."""
        if self._bias is not None:
            self._bias.requires_grad_(step <= self._last)

    @contextmanager
    def ending(self) -> Generator[None]:
        """After ``with`` they can be trained as before."""
        try:
            yield
        finally:
            if self._bias is not None:
                self._bias.requires_grad_(True)


def _convolution(module: nn.Module) -> nn.Conv2d:
    problem, found = whitening_problem(module), first_convolution(module)
    if problem is not None or found is None:
        raise RecipeError(f"whiten: {problem}; leave whiten out, or change that convolution")
    return found[1]
