"""What is measured along the depth of a network, each with its names in order.

Where a record does not apply to a network, ``inapplicable`` says why in one line, and its arrays
are empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class StreamStrip:
    """The stream and what each block adds to it; (blocks,) each, means over images.

    ``norm``: root mean square of the stream behind the block.  ``ratio``: ‖added‖ / ‖before‖.
    ``share``: ⟨added, stream behind⟩ / ‖stream behind‖², which with the stream's own part is 1.
    ``cosine``: between what is added and the stream before; NaN where they are concatenated.
    """

    names: tuple[str, ...]
    norm: Numbers
    ratio: Numbers
    share: Numbers
    cosine: Numbers
    images: int
    inapplicable: str | None = None


@dataclass(frozen=True, kw_only=True)
class LogitLens:
    """What the network says if all blocks behind add nothing; (1 + blocks,) each.

    ``names[0]`` is the stream before the first block.  ``loss``: cross-entropy in nats.
    ``agreement``: share of images given the class that the whole network gives, which is the last.
    """

    names: tuple[str, ...]
    accuracy: Numbers
    loss: Numbers
    agreement: Numbers
    images: int
    inapplicable: str | None = None


@dataclass(frozen=True, kw_only=True)
class Lesions:
    """Accuracy with one block taken out; (blocks,) each.

    ``settled``: the same with batch norms estimated again behind the lesion; NaN without batch
    norms.  ``whole``, ``whole_settled``: with nothing taken out.  ``unit``: what a block is here.
    ``settled_on``: images that norms are estimated on.
    """

    names: tuple[str, ...]
    accuracy: Numbers
    settled: Numbers
    whole: float
    whole_settled: float
    unit: str
    images: int
    settled_on: int
    inapplicable: str | None = None


@dataclass(frozen=True, kw_only=True)
class Reordering:
    """Accuracy with blocks of one kind in another order; (trials,) each.

    ``swaps``: how many pairs were exchanged.  ``tau``: Kendall's rank correlation with the order
    as trained, over the ``blocks`` that can change places.  ``whole``: accuracy as trained.
    """

    swaps: NDArray[np.int64]
    tau: Numbers
    accuracy: Numbers
    blocks: tuple[str, ...]
    whole: float
    images: int
    inapplicable: str | None = None


@dataclass(frozen=True, kw_only=True)
class Shattering:
    """How alike the gradients of different images are, by depth.

    ``cosine`` (points,): mean over pairs of images, of the gradients by the value at each point;
    ``error``: its standard error over images.  ``depths``: layers with weights before each point.
    ``line`` (lags,): along a straight line of images from one to another, the mean cosine of the
    image gradients of two that are so many steps apart; ``line[0]`` is 1.
    """

    names: tuple[str, ...]
    depths: NDArray[np.int64]
    cosine: Numbers
    error: Numbers
    line: Numbers
    images: int
    inapplicable: str | None = None


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """Unbiased linear CKA between the points of two networks, (rows, columns) each.

    ``null``: its mean, ``null_high`` its 95th percentile when the images of one are shuffled, and
    ``chance`` the share of shuffles that reach it (with itself counted in).  ``cka`` can be below 0
    a little, being unbiased; NaN where a point does not vary.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cka: Numbers
    null: Numbers
    null_high: Numbers
    chance: Numbers
    images: int
    shuffles: int


@dataclass(frozen=True, kw_only=True)
class Saturation:
    """How many directions a layer uses of those it has; (points,) each.

    ``share``: directions that hold ``level`` of the variance, of all ``channels``.  ``samples``:
    positions the covariance is over; where they are fewer than channels the share is held down by
    that (``enough`` is False).
    """

    names: tuple[str, ...]
    depths: NDArray[np.int64]
    share: Numbers
    directions: NDArray[np.int64]
    channels: NDArray[np.int64]
    samples: NDArray[np.int64]
    level: float
    images: int

    @property
    def enough(self) -> NDArray[np.bool_]:
        """Whether there were more samples than channels."""
        return self.samples > self.channels


@dataclass(frozen=True, kw_only=True)
class Probes:
    """Accuracy of a linear classifier on what each point holds; (points,) each.

    ``baseline``: what always naming the commonest class gets.  ``whole``: the network's own.
    ``converged``: whether the fit came to its end.
    """

    names: tuple[str, ...]
    depths: NDArray[np.int64]
    accuracy: Numbers
    train_accuracy: Numbers
    converged: NDArray[np.bool_]
    baseline: float
    whole: float
    trained_on: int
    images: int

    @property
    def rises_until(self) -> int:
        """The first point within one standard error of the best: behind it nothing is gained."""
        best = float(self.accuracy.max())
        error = float(np.sqrt(max(best * (1 - best), 0.0) / max(self.images, 1)))
        return int(np.flatnonzero(self.accuracy >= best - error)[0])
