"""How far confidence is from accuracy, and the one number that brings it nearer."""

from __future__ import annotations

import math

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


def at_temperature(
    log_probabilities: NDArray[np.floating], temperature: float
) -> NDArray[np.float32]:
    """softmax(logits / T), (N, classes), from log-probabilities or logits (N, classes).

    Guo et al. 2017, equation 9.  The order of the classes stays, and with it top-1.
    """
    scaled = np.asarray(log_probabilities, np.float64) / temperature
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)


def fit_temperature(
    log_probabilities: NDArray[np.floating], labels: NDArray[np.int64]
) -> float | None:
    """The temperature at which (N, classes) log-probabilities say (N,) labels best.

    The least cross-entropy over T (Guo et al. 2017, section 4.2), with Platt's targets in place of
    certain ones (Platt 1999, section 2.2): of each label a share 1 / (N + 2) is given to the
    likeliest other class, as though one further image had been taken for it.  Without that, a
    network that errs on none of few images would be told to be certain.  The cross-entropy is
    convex in 1 / T, so its one minimum is found by halving.  None where there is none: for no
    samples, or a network whose scores say no more than chance.
    """
    count = len(labels)
    if count == 0:
        return None
    logits = np.asarray(log_probabilities, np.float64)
    rows = np.arange(count)
    own = logits[rows, labels]
    others = logits.copy()
    others[rows, labels] = -np.inf
    share = 1 / (count + 2)
    wanted = (1 - share) * own + share * others.max(axis=1)

    def slope(inverse: float) -> float:
        """Derivative of the cross-entropy by 1 / T."""
        raised = np.exp(inverse * (logits - logits.max(axis=1, keepdims=True)))
        mean = (raised * logits).sum(axis=1) / raised.sum(axis=1)
        return float((mean - wanted).mean())

    low, high = 0.0, 1.0
    if not math.isfinite(slope(1.0)) or slope(0.0) >= 0:
        return None
    while slope(high) < 0:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 2 / (low + high)
