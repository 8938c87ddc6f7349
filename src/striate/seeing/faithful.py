"""Whether a map says what the network goes by: measured by taking away, and by giving back.

Petsiuk, Das and Saenko 2018 (RISE), section 4.1: deletion covers the pixels a map calls most
important first, insertion uncovers them first.  A map that is right makes the class fall fast in
the one and rise fast in the other, faster than the same map with its cells shuffled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from striate import keyed
from striate.seeing.saliency import Forward

STEPS = 16
_AT_ONCE = 2**22  # numbers of a batch of inputs: 16 MB


@dataclass(frozen=True, kw_only=True)
class Curves:
    """(m, steps + 1) each, for m maps: the class's probability after each step."""

    insertion: NDArray[np.float64]
    deletion: NDArray[np.float64]

    @property
    def margins(self) -> NDArray[np.float64]:
        """(m,) area under insertion minus area under deletion: 1 at best, 0 for no order at all."""
        return self.insertion.mean(axis=1) - self.deletion.mean(axis=1)


def curves(
    forward: Forward,
    image: Tensor,
    ground: Tensor,
    maps: Tensor,
    number: int,
    *,
    steps: int = STEPS,
) -> Curves:
    """The curves of ``maps`` (m, h, w), of any grid, for class ``number`` of ``image`` (C, H, W).

    ``ground`` (C, H, W) is what is seen where the image is covered.  Maps are enlarged bilinearly.
    """
    height, width = image.shape[1:]
    count = height * width
    large = enlarged(maps, (height, width)).flatten(1)
    # Ties are broken by a fixed shuffle: row by row they would favour the upper edge.
    tie = torch.as_tensor(keyed.uniform(0, "seeing.tie", np.arange(count, dtype=np.int64)))
    shuffle = tie.argsort().to(large.device)
    order = shuffle[large[:, shuffle].argsort(dim=1, descending=True, stable=True)]
    ranks = torch.empty_like(order)
    ranks.scatter_(1, order, torch.arange(count, device=order.device).expand_as(order))
    wanted = torch.tensor([count * step / steps for step in range(steps + 1)])
    uncovered = ranks[:, None, :] < wanted.to(ranks.device).view(1, -1, 1)
    shown = uncovered.reshape(-1, 1, height, width)
    batch = max(4, min(256, _AT_ONCE // image.numel()))
    found: list[Tensor] = []
    with torch.no_grad():
        for kept in (shown, ~shown):
            for start in range(0, len(kept), batch):
                mixed = torch.where(kept[start : start + batch], image, ground)
                found.append(forward(mixed).softmax(dim=1)[:, number].double().cpu())
    both = torch.cat(found).reshape(2, len(maps), steps + 1).numpy()
    return Curves(insertion=both[0], deletion=both[1])


def shuffled(saliency: Tensor, count: int, number: int) -> Tensor:
    """(count, h, w): the map (h, w) with its cells in other places: as coarse, and as peaked."""
    flat = saliency.flatten()
    cells = np.arange(flat.numel(), dtype=np.int64)
    orders = [
        keyed.bits(number, "seeing.shuffled", turn, cells).argsort(kind="stable")
        for turn in range(count)
    ]
    picked = torch.as_tensor(np.stack(orders)).to(flat.device)
    return flat[picked].reshape(count, *saliency.shape)


def enlarged(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(m, h, w) → (m, H, W), bilinear; as they are where they have that size."""
    if tuple(maps.shape[1:]) == size:
        return maps
    return F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def blurred(image: Tensor) -> Tensor:
    """(C, H, W) under a Gaussian as wide as an eighth of the longer side: what covers it.

    A plain colour would put an edge around whatever it covers, and an edge is evidence too.
    """
    sigma = max(image.shape[1:]) / 8
    reach = math.ceil(2.5 * sigma)
    offsets = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    weights = torch.exp(-(offsets**2) / (2 * sigma**2))
    weights = weights / weights.sum()
    rows, columns = (_folded(side, reach, image.device) for side in image.shape[1:])
    wide = image[:, rows][:, :, columns][:, None]
    tall = F.conv2d(wide, weights.view(1, 1, -1, 1))
    return F.conv2d(tall, weights.view(1, 1, 1, -1))[:, 0]


def _folded(side: int, reach: int, device: torch.device) -> Tensor:
    """(side + 2·reach,): which pixel stands at each place, the image mirrored at its edges."""
    folded = torch.arange(-reach, side + reach, device=device) % (2 * side)
    return torch.where(folded < side, folded, 2 * side - 1 - folded)


def likeness(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Spearman's correlation of two maps of one size; NaN where either is the same everywhere."""
    ranks = [_ranks(array.ravel()) for array in (one, other)]
    first, second = (rank - rank.mean() for rank in ranks)
    energy = math.sqrt(float((first**2).sum() * (second**2).sum()))
    return float((first * second).sum() / energy) if energy > 0 else float("nan")


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 0; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts + 1) / 2)[inverse]


def edges_of(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C, H, W) → (H, W): the length of the brightness gradient, by Sobel's kernels."""
    plane = np.pad(image.mean(axis=0), 1, mode="edge")

    def slid(kernel: Sequence[Sequence[float]]) -> NDArray[np.float64]:
        tall, wide = plane.shape[0] - 2, plane.shape[1] - 2
        parts = [
            kernel[i][j] * plane[i : i + tall, j : j + wide] for i in range(3) for j in range(3)
        ]
        return np.sum(parts, axis=0)

    across = slid([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    down = slid([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    return np.hypot(across, down)


def centred(size: tuple[int, int]) -> NDArray[np.float64]:
    """(H, W): a Gaussian in the middle, a quarter of each side wide: where photographers aim."""
    rows, columns = (
        np.exp(-(((np.arange(side) + 0.5) / side - 0.5) ** 2) / (2 * 0.25**2)) for side in size
    )
    return np.outer(rows, columns)
