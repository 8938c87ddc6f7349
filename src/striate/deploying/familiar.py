"""Whether an image is like those a network was trained on: two distances, each with its limit.

Each is the distance to the nearest of the training images that are kept (Sun et al. 2022,
"Out-of-distribution detection with deep nearest neighbors", section 3, with k = 1, since few are
kept).  ``look``: in brightness, contrast and detail of each channel, each divided by its deviation
over the training images; nothing of the network is in it.  ``features``: in what the network makes
of the image before it decides, scaled to length 1.

Both limits are measured on the validation images, which are like the training images and were
never trained on: 99.5 % of them lie within each (of N images, the ⌈0.995 (N + 1)⌉-th distance; the
greatest, where N is too small for that).  So at least about one in a hundred images that are like
the training data is said to be unlike it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.data import Split
from striate.records import Unlike
from striate.runs import Preprocessing, evaluating
from striate.runs.features import features_and_logits

WITHIN = 0.995
"""Share of validation images within each limit."""
KEPT = 2000
"""At most so many training images' features are kept …"""
FLAT = 1e-3
"""Deviation of a pixel, as a share of the training data's, below which nothing is seen."""
ELEMENTS = 4_000_000
"""… and at most so many numbers of them."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Familiar:
    """What images like the training data look like.

    ``looks`` (n, S) and ``features`` (n, D) float16, of length 1: of n training images.  ``spread``
    (S,): deviation of each number of the looks over them.  ``limits``: of look and features.
    ``images``: how many validation images the limits were measured on.
    """

    looks: NDArray[np.float32]
    spread: NDArray[np.float32]
    features: NDArray[np.float16]
    limits: tuple[float, float]
    images: int

    def judge(self, inputs: Tensor, features: Tensor) -> list[tuple[Unlike, ...]]:
        """For each of N inputs (N, C, H, W) with features (N, D): in what it is unlike, if at all.

        A distance that is no number (an overflow inside the network) counts as infinite.
        """
        pairs = zip(self.looks_away(looks(inputs)), self.features_away(features), strict=True)
        return [
            tuple(
                Unlike(what=what, distance=float(distance), limit=limit)
                for what, distance, limit in zip(
                    ("look", "features"), distances, self.limits, strict=True
                )
                if not distance <= limit
            )
            for distances in pairs
        ]

    def looks_away(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) distances of looks (N, S) to the nearest kept ones, in deviations."""
        spread = self.spread.astype(np.float64)
        theirs = self.looks / spread
        nearest = [((one - theirs) ** 2).sum(axis=1).min() for one in found / spread]
        return np.sqrt(np.array(nearest))

    def features_away(self, features: Tensor) -> NDArray[np.float64]:
        """(N,) distances of features (N, D) to the nearest kept ones, from 0 to 2."""
        ours = _unit(features.detach().cpu()).numpy().astype(np.float64)
        theirs = self.features.astype(np.float64)
        theirs /= np.maximum(np.linalg.norm(theirs, axis=1, keepdims=True), 1e-12)
        nearest = (ours @ theirs.T).max(axis=1)
        return np.sqrt(np.maximum(2 - 2 * nearest, 0))


def looks(inputs: Tensor) -> NDArray[np.float64]:
    """(N, C, H, W) normalised pixels → (N, 3·C): brightness, contrast, detail of each channel.

    The mean; the logarithm of the deviation; that of the mean difference between neighbours.
    """
    x = inputs.detach().cpu().double()
    across, down = x.diff(dim=3).abs(), x.diff(dim=2).abs()
    steps = max(1, across[0].numel() // x.shape[1]) + max(1, down[0].numel() // x.shape[1])
    detail = (across.sum(dim=(2, 3)) + down.sum(dim=(2, 3))) / steps
    contrast = x.std(dim=(2, 3), unbiased=False)
    parts = (x.mean(dim=(2, 3)), (contrast + FLAT).log(), (detail + FLAT).log())
    return torch.cat(parts, dim=1).numpy()


def measure_familiar(
    module: nn.Module, train: Split, val: Split, preprocessing: Preprocessing, *, device: str
) -> Familiar:
    """What is familiar to ``module``: from training images evenly taken by id, and all of ``val``.

    ``val`` must not be empty.
    """
    first = next(_seen(module, train, np.arange(1), preprocessing, device))[1]
    count = min(len(train), KEPT, max(1, ELEMENTS // first.shape[1]))
    taken = np.unique(np.linspace(0, len(train) - 1, count).round().astype(np.int64))
    parts = list(_seen(module, train, taken, preprocessing, device))
    found = np.concatenate([look for look, _ in parts])
    familiar = Familiar(
        looks=found.astype(np.float32),
        spread=np.maximum(found.std(axis=0), FLAT).astype(np.float32),
        features=np.concatenate([unit.numpy() for _, unit in parts]).astype(np.float16),
        limits=(math.inf, math.inf),
        images=len(val),
    )
    away = [
        (familiar.looks_away(look), familiar.features_away(unit))
        for look, unit in _seen(module, val, np.arange(len(val)), preprocessing, device)
    ]
    limits = tuple(limit(np.concatenate(kind)) for kind in zip(*away, strict=True))
    return replace(familiar, limits=(limits[0], limits[1]))


def limit(distances: NDArray[np.float64]) -> float:
    """The ⌈WITHIN (N + 1)⌉-th of N distances in ascending order; the greatest where N is small."""
    rank = math.ceil(WITHIN * (len(distances) + 1))
    return float(np.sort(distances)[min(rank, len(distances)) - 1])


def _seen(
    module: nn.Module,
    split: Split,
    indices: NDArray[np.int64],
    preprocessing: Preprocessing,
    device: str,
    batch: int = 128,
) -> Iterator[tuple[NDArray[np.float64], Tensor]]:
    """Looks and unit features, batch by batch."""
    with evaluating(module):
        for start in range(0, len(indices), batch):
            pixels = torch.as_tensor(split.pixels(indices[start : start + batch]))
            inputs = preprocessing(pixels.to(device))
            features, _ = features_and_logits(module, inputs, len(preprocessing.classes))
            yield looks(inputs), _unit(features.cpu())


def _unit(features: Tensor) -> Tensor:
    return nn.functional.normalize(features, dim=1)
