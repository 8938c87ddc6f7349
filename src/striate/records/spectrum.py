"""A gradient taken apart by the number of branches its paths pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class PathSpectrum:
    """``gradients`` (lengths, C, H, W): of one logit by the image, through the paths of a length.

    A path's length is the number of branches it passes; ``counts[l]`` is the number of paths of
    length ``l``, a whole number of any size.  ``gradient`` (C, H, W): autograd's, of the module
    itself.  ``target``: the class.  ``names``: the branches, in order.  Norms do not add, so
    ``norms`` need not fall or rise with ``shares``, which do: they sum to 1.
    """

    gradients: NDArray[np.float64]
    gradient: NDArray[np.float64]
    counts: tuple[int, ...]
    names: tuple[str, ...]
    target: int
    notes: tuple[str, ...] = ()

    @property
    def norms(self) -> NDArray[np.float64]:
        """(lengths,) the Euclidean norm of each length's gradient."""
        return np.sqrt((self.gradients**2).sum(axis=(1, 2, 3)))

    @property
    def shares(self) -> NDArray[np.float64]:
        """(lengths,) each length's part along the whole gradient, ⟨g_l, g⟩ / ‖g‖²; NaN if g = 0."""
        whole = (self.gradient**2).sum()
        parts = (self.gradients * self.gradient).sum(axis=(1, 2, 3))
        return parts / whole if whole > 0 else np.full(len(parts), np.nan)

    @property
    def path_shares(self) -> NDArray[np.float64]:
        """(lengths,) each length's share of all paths."""
        total = sum(self.counts)
        return np.array([count / total for count in self.counts])

    @property
    def error(self) -> float:
        """‖sum of the gradients − autograd's‖ / ‖autograd's‖."""
        missed = float(np.linalg.norm(self.gradients.sum(axis=0) - self.gradient))
        whole = float(np.linalg.norm(self.gradient))
        return missed / whole if whole > 0 else missed
