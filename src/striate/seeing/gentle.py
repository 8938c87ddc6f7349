"""Changes so gentle that what an image shows stays the same: moved, turned, noisier, paler.

A decision that does not survive them, or whose grounds do not, says more about these very pixels
than about what is in the picture.  No label is needed to ask.

Comes in: a network's inputs (n, C, H, W).  Goes out: the same, changed, and maps carried along.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from striate import keyed

CELLS = 8  # maps are compared on at most so many cells a side

SENTENCE = (
    "moved by 3 % of its side, turned by 4° or enlarged by 4 %, with noise of a tenth of its "
    "deviation, and with 15 % less contrast"
)


@dataclass(frozen=True, kw_only=True)
class Change:
    """``move`` in shares of the side (rows, columns), ``turn`` in degrees, ``zoom`` a factor.

    ``noise`` is in deviations of the image, ``contrast`` a factor about its mean.
    """

    move: tuple[float, float] = (0.0, 0.0)
    turn: float = 0.0
    zoom: float = 1.0
    noise: float = 0.0
    contrast: float = 1.0

    @property
    def moves(self) -> bool:
        """Whether a pixel ends up somewhere else."""
        return self.move != (0.0, 0.0) or self.turn != 0 or self.zoom != 1

    def inputs(self, images: Tensor) -> Tensor:
        """(n, C, H, W) changed; what comes in at an edge is the edge itself."""
        changed = _moved(images, self) if self.moves else images
        if self.contrast != 1:
            mean = changed.mean(dim=(1, 2, 3), keepdim=True)
            changed = mean + self.contrast * (changed - mean)
        if self.noise:
            spread = changed.std(dim=(1, 2, 3), keepdim=True)
            places = np.arange(changed[0].numel(), dtype=np.int64)
            # A sum of twelve uniforms has deviation 1; the same grain lies on every image.
            turns = np.arange(12, dtype=np.int64)[:, None]
            drawn = keyed.uniform(0, "seeing.grain", turns, places).sum(axis=0) - 6
            grain = torch.as_tensor(drawn).to(changed).reshape(changed.shape[1:])
            changed = changed + self.noise * spread * grain
        return changed

    def maps(self, maps: Tensor) -> Tensor:
        """(n, h, w) carried along."""
        return _moved(maps[:, None], self)[:, 0] if self.moves else maps


_STEP = 1 / 32
CHANGES = (
    Change(move=(_STEP, _STEP), turn=4),
    Change(move=(-_STEP, _STEP), zoom=1.04),
    Change(move=(_STEP, -_STEP), turn=-4),
    Change(noise=0.1),
    Change(contrast=0.85),
)


def compared(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(n, h, w), enlarged to ``size``, as means over at most ``CELLS`` × ``CELLS`` cells.

    Maps of pixels (integrated gradients) differ pixel by pixel where they say the same.
    """
    if tuple(maps.shape[1:]) != size:
        maps = F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]
    cells = (min(CELLS, size[0]), min(CELLS, size[1]))
    return F.adaptive_avg_pool2d(maps[:, None], cells)[:, 0]


def _moved(images: Tensor, change: Change) -> Tensor:
    angle = math.radians(change.turn)
    cosine, sine = math.cos(angle) / change.zoom, math.sin(angle) / change.zoom
    height, width = images.shape[2:]
    # Coordinates run from -1 to 1 on either axis, so a share of the side is twice as long.
    theta = torch.tensor(
        [
            [cosine, -sine * height / width, -2 * change.move[1]],
            [sine * width / height, cosine, -2 * change.move[0]],
        ],
        dtype=images.dtype,
        device=images.device,
    )
    grid = F.affine_grid(theta.expand(len(images), 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
