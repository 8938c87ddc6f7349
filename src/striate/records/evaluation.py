"""How a network does on one split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Measurements on one split, in the split's own order.

    ``probabilities``: (N, classes) float32, softmax of the logits.  ``labels``: (N,) int64.
    ``accuracy``: top-1, 0…1.  ``loss``: mean cross-entropy in nats.  ``ece``: expected
    calibration error with 15 equal-width bins (Guo et al. 2017, eq. 3).
    ``confusion``: (classes, classes) int64, rows are the true class.  ``tta``: in which views each
    image was seen, as recipes name them.
    """

    split: str
    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    accuracy: float
    loss: float
    ece: float
    confusion: NDArray[np.int64]
    tta: str = "none"

    def __len__(self) -> int:
        return len(self.labels)
