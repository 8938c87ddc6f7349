"""How far confidence is from accuracy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def expected_calibration_error(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], bins: int = 15
) -> float:
    """Expected calibration error of top-1 confidence (Guo et al. 2017, equation 3), 0…1.

    ``probabilities``: (N, classes), rows sum to 1.  ``labels``: (N,).  Bin m of M holds the
    samples whose confidence lies in ((m − 1)/M, m/M]; the error is the mean over samples of
    |accuracy − confidence| of their bin.  NaN for no samples.
    """
    if len(labels) == 0:
        return float("nan")
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    inner = np.arange(1, bins, dtype=np.float64) / bins
    bin_of = (inner < confidence[:, None]).sum(axis=1)
    gap = np.bincount(bin_of, weights=right - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))
